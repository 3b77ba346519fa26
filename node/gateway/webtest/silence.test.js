// silence.test.js: when a page takes its machine for gone, on a clock that the test moves.
import test from 'node:test';
import assert from 'node:assert/strict';
import { webcrypto as crypto, createHash } from 'node:crypto';
import { Session } from '../web/session.js';
import { signedBytes } from '../web/verify.js';
import { base58, concat, unhex } from '../web/bytes.js';
import { base64 } from '../web/pay.js';
import { uvarint } from '../web/proto.js';

const len = (no, b) => concat(uvarint(no << 3 | 2), uvarint(b.length), b), text = s => new TextEncoder().encode(s);
const offer = 'v=0 offer', session = '0a0b', print = new Uint8Array(32).fill(7);

/** posted is the gateway's answer to an offer, with a container's proof. */
async function posted() {
  const pair = await crypto.subtle.generateKey({ name: 'Ed25519' }, true, ['sign', 'verify']);
  const key = concat(Uint8Array.of(8, 1), len(2, new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey)))), id = concat(Uint8Array.of(0, 0x24), key), kind = text('/framemesh/answer/1');
  const payload = concat(len(1, id), len(2, unhex(session)), len(3, new Uint8Array(createHash('sha256').update(offer).digest())), len(4, print));
  const sig = new Uint8Array(await crypto.subtle.sign({ name: 'Ed25519' }, pair.privateKey, signedBytes('framemesh/net/answer/1', kind, payload)));
  const proof = concat(len(1, key), len(2, kind), len(3, payload), len(5, sig));
  const sdp = 'a=fingerprint:sha-256 ' + Array.from(print, x => x.toString(16).padStart(2, '0')).join(':') + '\r\n';
  return { ok: true, text: async () => sdp, headers: new Headers({ Location: '/whep/x/0a0b/1', ETag: '"1"', 'Framemesh-Session': session, 'Framemesh-Container': base58(id), 'Framemesh-Role': 'watch', 'Framemesh-Proof': base64(proof) }) };
}

/** world is a session that plays. pass(ms, what) lets time pass, with a picture, word or packet each quarter of a second. */
async function world(t) {
  const answer = await posted();
  let now = 1000, look = null, frame = null, packets = 0;
  t.mock.method(globalThis, 'fetch', async () => answer);
  t.mock.method(performance, 'now', () => now);
  t.mock.method(globalThis, 'setInterval', f => { look = f; });
  const pc = { localDescription: { sdp: offer }, connectionState: 'connected', iceConnectionState: 'connected', close() {}, setRemoteDescription: async () => {},
    getStats: async () => new Map([['v', { type: 'inbound-rtp', packetsReceived: packets }]]) };
  const peer = { pc, input: {}, control: { readyState: 'open', send() {} }, ready: Promise.resolve(), candidates: [], complete: true, close() {} };
  const s = new Session({ app: { id: 'x' }, query: { session, token: '00' }, network: 'net', peer, period: { value: 16 } }), told = [];
  s.addEventListener('silent', e => told.push(e.detail.kind));
  await s.connect();
  s.follow({ requestVideoFrameCallback: f => { frame = f; } });
  const what = { picture: () => { packets++; frame(now, { presentationTime: now }); }, word: () => peer.control.onmessage({ data: '{"t":"pong"}' }), packet: () => { packets++; } };
  return {
    s, told,
    async pass(ms, ...kinds) {
      for (const end = now + ms; now < end;) {
        now += 250;
        kinds.forEach(k => what[k]());
        await look();
      }
    },
    async sleep(ms) { // of the whole browser: its timers come late
      now += ms;
      await look();
    },
  };
}

test('a machine that sends nothing for a second and a half is gone, and that is told once', async t => {
  const w = await world(t);
  await w.pass(5000, 'picture', 'word');
  await w.pass(1500);
  assert.deepEqual(w.told, []);
  await w.pass(1000); // packets are counted once the picture stands still
  assert.deepEqual(w.told, ['gone']);
  await w.pass(10_000);
  assert.deepEqual(w.told, ['gone']);
});

test('a machine that answers and shows nothing is told after five seconds', async t => {
  const w = await world(t);
  await w.pass(1000, 'picture', 'word');
  await w.pass(5000, 'word');
  assert.deepEqual(w.told, []);
  await w.pass(750, 'word');
  assert.deepEqual(w.told, ['picture']);
});

test('a paused game shows nothing, and nobody is told', async t => {
  const w = await world(t);
  await w.pass(1000, 'picture', 'word');
  w.s.paused = true;
  await w.pass(60_000, 'word');
  assert.deepEqual(w.told, []);
});

test('sound of a hidden page is a sign of life, and so is a word', async t => {
  const w = await world(t);
  await w.pass(1000, 'picture', 'word');
  await w.pass(60_000, 'packet');
  await w.pass(1250);
  await w.pass(250, 'word');
  await w.pass(1250);
  assert.deepEqual(w.told, []);
});

test('a browser that slept was silent itself', async t => {
  const w = await world(t);
  await w.pass(1000, 'picture', 'word');
  await w.sleep(60_000);
  await w.pass(1250);
  assert.deepEqual(w.told, []);
  await w.pass(1250);
  assert.deepEqual(w.told, ['gone']);
});
