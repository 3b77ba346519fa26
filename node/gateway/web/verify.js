// verify.js: is the answer the container's own? A gateway carries the signalling; if
// it put its own DTLS fingerprint into the answer it could sit in the middle of the
// stream. So the container signs which offer it answers with which fingerprint, an
// indexer signs which containers it chose, and the page checks both before it connects.

import { fields, bytesOf, manyOf, uvarint, ProtoError } from './proto.js';
import { base58, concat, equal, hex, unhex } from './bytes.js';

/** VerifyError: a signed message does not hold. Its text is for people. */
export class VerifyError extends Error {}
/** CannotVerify: this browser has no Ed25519, so nothing can be said either way. */
export class CannotVerify extends Error {}

const text = s => new TextEncoder().encode(s);
const keyHead = Uint8Array.of(0x08, 0x01, 0x12, 0x20); // libp2p PublicKey{type: Ed25519, data: 32 bytes}
const idHead = Uint8Array.of(0x00, 0x24); // identity multihash of the 36 bytes above
const MAX_ENVELOPE = 1 << 20;

/** signedBytes is what an envelope's signature covers: three fields, each after its length. */
export function signedBytes(domain, payloadType, payload) {
  const d = text(domain);
  return concat(uvarint(d.length), d, uvarint(payloadType.length), payloadType, uvarint(payload.length), payload);
}

/** openEnvelope verifies a sealed message and returns {peer, peerBytes, payload}. */
export async function openEnvelope(envelope, network, type, subtle = globalThis.crypto?.subtle) {
  if (!envelope || envelope.length === 0 || envelope.length > MAX_ENVELOPE) throw new VerifyError('The signed message is missing.');
  let key, kind, payload, signature;
  try {
    const f = fields(envelope), k = bytesOf(f, 1);
    [kind, payload, signature] = [bytesOf(f, 2), bytesOf(f, 3), bytesOf(f, 5)];
    const kf = fields(k);
    key = bytesOf(kf, 2);
    // Fields that the format does not have would let anyone make new bytes of a message that still verifies.
    if (f.some(x => ![1, 2, 3, 5].includes(x.no)) || kf.some(x => x.no > 2)) throw new ProtoError('it has unknown fields');
    if (kf.find(x => x.no === 1)?.value !== 1n || key.length !== 32) throw new ProtoError('the key is not Ed25519');
  } catch (e) {
    if (e instanceof ProtoError) throw new VerifyError('The signed message does not parse: ' + e.message + '.');
    throw e;
  }
  if (!equal(kind, text(`/framemesh/${type}/1`))) throw new VerifyError('The signed message is of another kind.');
  if (!subtle) throw new CannotVerify('no WebCrypto on this page');
  let pub;
  try {
    pub = await subtle.importKey('raw', key, { name: 'Ed25519' }, false, ['verify']);
  } catch {
    throw new CannotVerify('no Ed25519 in this browser');
  }
  const ok = signature.length === 64 && await subtle.verify({ name: 'Ed25519' }, pub, signature, signedBytes(`framemesh/${network}/${type}/1`, kind, payload));
  if (!ok) throw new VerifyError('The signature is wrong.');
  const peerBytes = concat(idHead, keyHead, key);
  return { peer: base58(peerBytes), peerBytes, payload };
}

/**
 * warm lets the browser load its cryptography before the click: the first signature
 * costs it about 15 ms otherwise.
 */
export async function warm(subtle = globalThis.crypto?.subtle) {
  try {
    const pub = await subtle.importKey('raw', Uint8Array.from({ length: 32 }, (_, i) => (i ? 0 : 1)), { name: 'Ed25519' }, false, ['verify']);
    await Promise.all([subtle.verify({ name: 'Ed25519' }, pub, new Uint8Array(64), none), subtle.digest('SHA-256', none)]);
  } catch { /* then verifying says what is missing */ }
}

const none = new Uint8Array(0);

/** fingerprints returns every sha-256 DTLS fingerprint of an SDP, as hex; null when it has one of another kind. */
export function fingerprints(sdp) {
  const out = [];
  for (const line of sdp.split(/\r?\n/)) {
    const m = /^a=fingerprint:(\S+)\s+(\S+)/i.exec(line);
    if (!m) continue;
    const b = m[1].toLowerCase() === 'sha-256' ? unhex(m[2].replaceAll(':', '')) : null;
    if (!b || b.length !== 32) return null;
    out.push(hex(b));
  }
  return out;
}

async function sha256(s, subtle) {
  if (!subtle) throw new CannotVerify('no WebCrypto on this page');
  return new Uint8Array(await subtle.digest('SHA-256', text(s)));
}

/**
 * verifyAnswer throws VerifyError unless the proof binds this offer, this answer and
 * this session to the container. What the container asks to be paid comes back as terms,
 * marshalled; empty for a free session.
 */
export async function verifyAnswer({ proof, network, container, session, offer, answer, subtle = globalThis.crypto?.subtle }) {
  const env = await openEnvelope(proof, network, 'answer', subtle);
  let f, terms;
  try {
    f = fields(env.payload);
    if (!equal(bytesOf(f, 1), env.peerBytes)) throw new VerifyError('The proof names another container than its signer.');
    if (env.peer !== container) throw new VerifyError('The proof was signed by another machine than the one that was matched.');
    if (hex(bytesOf(f, 2)) !== session) throw new VerifyError('The proof belongs to another session.');
    if (!equal(bytesOf(f, 3), await sha256(offer, subtle))) throw new VerifyError('The container was shown another offer than the one this page made.');
    terms = bytesOf(f, 6).slice();
    const got = fingerprints(answer), want = hex(bytesOf(f, 4));
    if (!got || got.length === 0 || got.some(x => x !== want)) throw new VerifyError('The answer carries a key that is not the container’s.');
  } catch (e) {
    if (e instanceof ProtoError) throw new VerifyError('The proof does not parse: ' + e.message + '.');
    throw e;
  }
  return { container: env.peer, peerBytes: env.peerBytes, terms };
}

/**
 * verifyCertificate throws VerifyError unless an indexer that the beacon drew signed a
 * match that names the container, for this app and (when the page has a key) this player.
 */
export async function verifyCertificate({ certificate, network, container, app, player, subtle }) {
  const env = await openEnvelope(certificate, network, 'match', subtle);
  try {
    const f = fields(env.payload);
    if (!equal(bytesOf(f, 1), env.peerBytes)) throw new VerifyError('The match names another indexer than its signer.');
    const top = manyOf(f, 5).map(c => base58(bytesOf(fields(c), 1)));
    if (!top.includes(container)) throw new VerifyError('The match does not name the machine that answered.');
    const drawn = manyOf(f, 8);
    if (drawn.length && !drawn.some(d => equal(d, env.peerBytes))) throw new VerifyError('The indexer that signed the match was not drawn for it.');
    const request = fields(bytesOf(f, 2));
    if (app && hex(bytesOf(request, 3)) !== app) throw new VerifyError('The match is for another app.');
    const p = hex(bytesOf(request, 2));
    if (player && p && p !== player) throw new VerifyError('The match was made for another player.');
    return { indexer: env.peer, indexerBytes: env.peerBytes, place: top.indexOf(container) + 1 };
  } catch (e) {
    if (e instanceof ProtoError) throw new VerifyError('The match does not parse: ' + e.message + '.');
    throw e;
  }
}
