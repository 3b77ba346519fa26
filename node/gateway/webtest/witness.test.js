import test from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createPrivateKey, sign as edSign } from 'node:crypto';
import { Witness, quantile } from '../web/witness.js';
import { unhex, hex, unbase64 } from '../web/bytes.js';

const v = JSON.parse(readFileSync(new URL('../../../docs/spec/vectors/work.json', import.meta.url), 'utf8'));
const key = createPrivateKey({ key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.from(v.seed, 'hex')]), format: 'der', type: 'pkcs8' });
const sign = async b => new Uint8Array(edSign(null, b, key));
const who = { chain: v.chain, container: unhex(v.container), session: v.session, player: v.player };

function witness(how = {}) {
  const said = [];
  return { said, w: new Witness(who, { sign, say: m => said.push(m), now: () => v.second * 1000, ...how }) };
}

test('a record and a receipt are those of the specification', async () => {
  const { w, said } = witness();
  v.messages.forEach((m, i) => w.sent(unhex(m).buffer, (v.first + i) >>> 0));
  w.told({ frames: v.receipt.seen });
  const { frames, lost, packets, acked, stalls } = v.receipt;
  await w.second({ frames, lost, packets, acked, stalls, latencies: [v.receipt.p50, v.receipt.p95] .concat(Array(3).fill(v.receipt.p50)) });
  assert.deepEqual(said[0], { t: 'inputs', second: v.second, first: v.first, leaves: said[0].leaves, sig: v.signature });
  assert.equal(hex(unbase64(said[0].leaves)), v.leaves);
  const { payload, signature, ...figures } = v.receipt;
  assert.deepEqual(said[1], { t: 'receipt', ...figures, sig: signature });
});

test('numbers rise, also over a reload and with a clock that goes back', async () => {
  let kept = v.second + 50;
  const { w, said } = witness({ last: { get: () => kept, set: n => { kept = n; } } });
  for (let i = 0; i < 3; i++) await w.second({});
  assert.deepEqual(said.map(m => m.second), [v.second + 51, v.second + 52, v.second + 53]);
  assert.equal(kept, v.second + 53);
});

test('a second without inputs has no record; many make two, and a gap begins another', async () => {
  const { w, said } = witness();
  await w.second({});
  assert.deepEqual(said.map(m => m.t), ['receipt']);
  for (let i = 1; i <= 301; i++) w.sent(new ArrayBuffer(72), i);
  w.sent(new ArrayBuffer(72), 400);
  await w.flush();
  assert.deepEqual(said.slice(1).map(m => [m.first, unbase64(m.leaves).length / 8]), [[1, 300], [301, 1], [400, 1]]);
  assert.ok(JSON.stringify(said[1]).length < 4096);
});

test('what cannot be signed does not stop what comes after it', async () => {
  let fail = true;
  const { w, said } = witness({ sign: async b => { if (fail) throw new Error('locked'); return sign(b); } });
  await w.second({});
  fail = false;
  await w.second({ frames: Infinity, lost: -1, latencies: [NaN] });
  assert.equal(said.length, 1);
  assert.deepEqual([said[0].frames, said[0].lost, said[0].p50], [0, 0, 0]);
});

test('quantiles', () => {
  assert.deepEqual([quantile([], 0.5), quantile([3, 1, 2], 0.5), quantile([0.2], 0.95), quantile([1e9], 0.5)], [0, 2, 1, 60000]);
});
