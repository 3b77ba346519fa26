import test from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync, existsSync } from 'node:fs';
import { webcrypto as crypto, createHash } from 'node:crypto';
import { fields, bytesOf, numberOf, uvarint, ProtoError } from '../web/proto.js';
import { base58, unhex, hex, concat, unbase64 } from '../web/bytes.js';
import { openEnvelope, verifyAnswer, verifyCertificate, signedBytes, fingerprints, VerifyError, CannotVerify } from '../web/verify.js';

const vectors = new URL('../../../docs/spec/vectors/seal/vectors.json', import.meta.url);

test('the sealed vectors of the specification open, and only those that should', { skip: !existsSync(vectors) }, async () => {
  const list = JSON.parse(readFileSync(vectors, 'utf8'));
  assert.ok(list.length > 3 && list.some(v => v.valid) && list.some(v => !v.valid));
  for (const v of list) {
    const envelope = unhex(v.envelope);
    if (v.max_size && envelope.length > v.max_size) continue; // the page's own limit is another one
    const open = openEnvelope(envelope, v.network, v.type, crypto.subtle);
    if (!v.valid) {
      // A payload that does not parse is found by who reads it, not by the envelope.
      await open.then(e => assert.throws(() => fields(e.payload), ProtoError, v.name), e => assert.ok(e instanceof VerifyError, `${v.name}: ${e}`));
      continue;
    }
    const e = await open;
    assert.equal(hex(e.payload), v.payload ?? '', v.name);
    assert.equal(e.peer, v.peer_id, v.name);
  }
});

// A tiny writer, so that the tests can make messages, good and bad.
const num = (no, v) => concat(uvarint(no << 3), uvarint(v));
const len = (no, b) => concat(uvarint(no << 3 | 2), uvarint(b.length), b);
const text = s => new TextEncoder().encode(s);

async function signer() {
  const pair = await crypto.subtle.generateKey({ name: 'Ed25519' }, true, ['sign', 'verify']);
  const raw = new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey)), key = concat(num(1, 1), len(2, raw));
  const id = concat(Uint8Array.of(0, 0x24), key);
  return {
    id, peer: base58(id),
    async seal(type, payload, network = 'testnet') {
      const kind = text(`/framemesh/${type}/1`), sig = new Uint8Array(await crypto.subtle.sign({ name: 'Ed25519' }, pair.privateKey, signedBytes(`framemesh/${network}/${type}/1`, kind, payload)));
      return concat(len(1, key), len(2, kind), len(3, payload), len(5, sig));
    },
  };
}

const sha = s => new Uint8Array(createHash('sha256').update(s).digest());
const print = Uint8Array.from({ length: 32 }, (_, i) => i * 7);
const sdpWith = b => 'v=0\r\na=fingerprint:sha-256 ' + Array.from(b, x => x.toString(16).padStart(2, '0').toUpperCase()).join(':') + '\r\n';

async function good(c, change = {}) {
  const offer = 'v=0 offer', session = '0a0b';
  const p = concat(len(1, change.id ?? c.id), len(2, unhex(session)), len(3, sha(change.offer ?? offer)), len(4, print), num(5, 1));
  return { proof: await c.seal(change.type ?? 'answer', p, change.network), network: 'testnet', container: c.peer, session, offer, answer: sdpWith(print), subtle: crypto.subtle };
}

test('an answer holds only when container, session, offer and key agree', async () => {
  const c = await signer(), other = await signer();
  assert.equal((await verifyAnswer(await good(c))).container, c.peer);
  const refused = async (args, re) => assert.rejects(verifyAnswer(args), e => e instanceof VerifyError && re.test(e.message), String(re));
  const changed = print.slice();
  changed[31] ^= 1;
  await refused({ ...await good(c), answer: sdpWith(changed) }, /not the container/);
  await refused({ ...await good(c), answer: sdpWith(print) + sdpWith(changed) }, /not the container/);
  await refused({ ...await good(c), answer: 'v=0\r\n' }, /not the container/);
  await refused({ ...await good(c), answer: 'a=fingerprint:sha-1 00:11\r\n' + sdpWith(print) }, /not the container/);
  await refused({ ...await good(c), session: 'ffff' }, /another session/);
  await refused({ ...await good(c), container: other.peer }, /another machine/);
  await refused({ ...await good(c), offer: 'v=0 other' }, /another offer/);
  await refused(await good(c, { id: other.id }), /than its signer/);
  await refused(await good(c, { network: 'main' }), /signature is wrong/);
  await refused(await good(c, { type: 'match' }), /another kind/);
  await refused({ ...await good(c), proof: null }, /missing/);
});

test('every flipped bit of an envelope is noticed', async () => {
  const c = await signer(), g = await good(c);
  for (let i = 0; i < g.proof.length; i++) {
    const proof = g.proof.slice();
    proof[i] ^= 1 << (i % 8);
    await assert.rejects(verifyAnswer({ ...g, proof }), e => e instanceof VerifyError || e instanceof CannotVerify, `byte ${i}`);
  }
});

test('a certificate names the container, the app and the player', async () => {
  const ix = await signer(), c = await signer(), app = '11'.repeat(32), player = '22'.repeat(32);
  const make = async (top = c.id, drawn = ix.id, asked = app) => ({
    certificate: await ix.seal('match', concat(len(1, ix.id), len(2, concat(len(2, unhex(player)), len(3, unhex(asked)))), len(5, len(1, top)), len(8, drawn))),
    network: 'testnet', container: c.peer, app, player, subtle: crypto.subtle,
  });
  const m = await verifyCertificate(await make());
  assert.deepEqual({ indexer: m.indexer, place: m.place, indexerBytes: hex(m.indexerBytes) }, { indexer: ix.peer, place: 1, indexerBytes: hex(ix.id) });
  await assert.rejects(verifyCertificate(await make(ix.id)), /does not name/);
  await assert.rejects(verifyCertificate(await make(c.id, c.id)), /not drawn/);
  await assert.rejects(verifyCertificate(await make(c.id, ix.id, '33'.repeat(32))), /another app/);
  await assert.rejects(verifyCertificate({ ...await make(), player: '44'.repeat(32) }), /another player/);
});

test('a browser without Ed25519 says so and is not taken for a forgery', async () => {
  const g = await good(await signer());
  const without = { importKey: async () => { throw new Error('NotSupportedError'); } };
  await assert.rejects(verifyAnswer({ ...g, subtle: without }), CannotVerify);
});

test('protobuf junk is an error, never a hang or a read beyond the end', () => {
  for (const h of ['0a', '0aff', '0affffffffffffffffff01', '08', '0880', '08ffffffffffffffffffff01', '0d0000', '0b', '00', '0a05ffff']) assert.throws(() => fields(unhex(h)), ProtoError, h);
  let seed = 7;
  for (let n = 0; n < 3000; n++) {
    const b = Uint8Array.from({ length: n % 60 }, () => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) >> 16);
    try {
      for (const f of fields(b)) assert.ok(typeof f.value === 'bigint' || f.value.byteOffset + f.value.length <= b.buffer.byteLength);
    } catch (e) {
      assert.ok(e instanceof ProtoError, String(e));
    }
  }
  const f = fields(unhex('08960112026869'));
  assert.equal(numberOf(f, 1), 150n);
  assert.equal(hex(bytesOf(f, 2)), '6869');
  assert.throws(() => bytesOf(f, 1), ProtoError);
});

test('text forms of bytes', () => {
  assert.equal(base58(unhex('0000287fb4cd')), '11233QC4');
  assert.equal(unhex('0'), null);
  assert.equal(unhex('zz'), null);
  assert.equal(unbase64('%%'), null);
  assert.equal(hex(unbase64('AQID')), '010203');
  assert.deepEqual(fingerprints(sdpWith(print)), [hex(print)]);
  assert.equal(fingerprints('a=fingerprint:sha-1 00'), null);
});
