import test from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createPrivateKey, sign as edSign } from 'node:crypto';
import { complain } from '../web/gone.js';
import { unhex } from '../web/bytes.js';

const v = JSON.parse(readFileSync(new URL('../../../docs/spec/vectors/work.json', import.meta.url), 'utf8'));
const key = createPrivateKey({ key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.from(v.seed, 'hex')]), format: 'der', type: 'pkcs8' });
const sign = async b => new Uint8Array(edSign(null, b, key));
const of = { chain: v.chain, container: unhex(v.container), session: v.session, key: unhex(v.player), seconds: v.gone.seconds,
  perSecond: BigInt(v.taken.per_second), taken: { sig: v.taken.signature, openedMS: v.taken.opened_ms } };

function gateway(...answers) {
  const asked = [];
  const fetch = async (url, init) => {
    asked.push({ url, init });
    const a = answers[Math.min(asked.length, answers.length) - 1];
    if (a === null) throw new TypeError('out of reach');
    return { ok: a < 300, status: a, headers: new Headers({ Date: 'Wed, 01 May 2030 10:00:00 GMT' }) };
  };
  return { asked, env: { sign, fetch, now: () => v.gone.at_ms + 0.7, wait: async () => {} } };
}

test('a complaint is the one of the specification', async () => {
  const { asked, env } = gateway(202);
  assert.equal(await complain(of, env), true);
  assert.equal(asked.length, 1);
  assert.equal(asked[0].url, `/api/sessions/${v.session}/gone`);
  assert.deepEqual(JSON.parse(asked[0].init.body), { container: v.container, player: v.player, seconds: v.gone.seconds, at_ms: v.gone.at_ms, sig: v.gone.signature,
    per_second: String(v.taken.per_second), opened_ms: v.taken.opened_ms, taken: v.taken.signature });
});

test('a gateway that is busy or out of reach is asked again, one that refuses is not', async () => {
  const busy = gateway(503, null, 202);
  assert.equal(await complain(of, busy.env), true);
  assert.equal(busy.asked.length, 3);
  const no = gateway(404);
  assert.equal(await complain(of, no.env), false);
  assert.equal(no.asked.length, 1);
  const cut = gateway(null);
  assert.equal(await complain(of, cut.env), false);
  assert.equal(cut.asked.length, 3);
});

test('a computer with a wrong clock is heard with the time of its gateway', async () => {
  const wrong = gateway(409, 202);
  assert.equal(await complain(of, wrong.env), true);
  const [first, second] = wrong.asked.map(a => JSON.parse(a.init.body));
  assert.equal(first.at_ms, v.gone.at_ms);
  assert.equal(second.at_ms, Date.UTC(2030, 4, 1, 10));
  assert.notEqual(second.sig, first.sig);
  const still = gateway(409);
  assert.equal(await complain(of, still.env), false);
  assert.equal(still.asked.length, 2);
});
