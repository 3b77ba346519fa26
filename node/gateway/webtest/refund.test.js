import test from 'node:test';
import assert from 'node:assert/strict';
import { generateKeyPairSync, sign as edSign } from 'node:crypto';
import { Refunds } from '../web/refund.js';
import { hex, unbase64 } from '../web/bytes.js';
import { fields, bytesOf, numberOf, manyOf } from '../web/proto.js';

const pair = generateKeyPairSync('ed25519');
const key = Buffer.from(pair.publicKey.export({ format: 'jwk' }).x, 'base64url').toString('hex');
const NOW = 1_800_000_000_000, container = 'c1'.repeat(32), session = '0a'.repeat(16);
const entry = change => ({ key, chain: 'net', container, session, locked: true, untilMS: NOW, at: NOW - 5000, gone: true, voucher: { seq: 7, seconds: 6, paid: '60', sig: '5e'.repeat(64) }, ...change });

/** world is a ledger with one session and a gateway before it; answers are what posts are answered, then 202. */
function world({ entries = [entry()], escrow = 6000, answers = [], phase = 'open', held = [], balance = 1000n, lands = true } = {}) {
  const w = { posts: [], said: [], coming: [], entries, phase, nonce: 3n, sent: null, waits: 0, looks: 0 };
  const fetch = async (url, init) => {
    if (url.startsWith('/api/ledger/session/')) {
      w.looks++;
      assert.equal(url, `/api/ledger/session/${container}/${session}`);
      return { ok: true, json: async () => ({ phase: w.phase, escrow: String(escrow), paid: w.phase === 'closing' ? '60' : '0', closes_ms: w.phase === 'closing' ? NOW + 2_700_000 : 0, expires_ms: NOW + 86_400_000, time_ms: NOW }) };
    }
    assert.equal(url, `/api/sessions/${session}/close`);
    w.posts.push(JSON.parse(init.body));
    const status = answers.length ? answers.shift() : 202;
    if (status === null) throw new TypeError('out of reach');
    if (status === 202 && lands) w.phase = 'closing';
    return { ok: status < 300, status };
  };
  w.refunds = new Refunds({
    ledger: () => ({ chain: 'net', symbol: 'FRM', fee: 10n }), account: async () => ({ balance, nonce: w.nonce, timeMS: NOW }), sent: n => { w.sent = n; },
    sign: async b => new Uint8Array(edSign(null, b, pair.privateKey)), key: () => key, fetch, now: () => NOW, wait: async () => { w.waits++; },
    say: text => w.said.push(text), changed: list => { w.coming = list; },
    escrows: {
      all: () => [...w.entries], unheld: async s => !held.includes(s), forget: s => { w.entries = w.entries.filter(e => e.session !== s); },
      note: (s, change) => { w.entries = w.entries.map(e => (e.session === s ? { ...e, ...change } : e)); },
    },
  });
  return w;
}

test('what a machine left is closed with the newest voucher, and told once', async () => {
  const w = world();
  await w.refunds.sweep();
  assert.equal(w.posts.length, 1);
  const f = fields(unbase64(w.posts[0].tx)), body = fields(bytesOf(f, 1)), op = fields(bytesOf(body, 19)), v = fields(bytesOf(op, 3));
  assert.deepEqual([hex(bytesOf(f, 2)), numberOf(body, 1), numberOf(body, 2), hex(bytesOf(op, 1)), hex(bytesOf(op, 2)), numberOf(v, 1), numberOf(v, 2), numberOf(v, 3)],
    [key, 3n, BigInt(NOW + 120_000), container, session, 7n, 6n, 60n]);
  assert.equal(w.sent, 3n);
  assert.deepEqual(w.coming, [{ session, units: 5940n, atMS: NOW + 2_700_000 }]);
  assert.match(w.said[0], /^0\.0000594 FRM that you set aside come back (at|on) .* at the latest, sooner if the machine settles\.$/);
  await w.refunds.sweep();
  assert.deepEqual([w.posts.length, w.said.length], [1, 1]);
  w.phase = 'none'; // it is back
  await w.refunds.sweep();
  assert.deepEqual([w.entries, w.coming], [[], []]);
});

test('nothing is closed that is played, was left a moment ago, is settled, or of another key or network', async () => {
  for (const [what, how] of Object.entries({
    'left a moment ago': { entries: [entry({ gone: false })] },
    'played in another tab': { entries: [entry({ gone: false, at: NOW - 600_000 })], held: [session] },
    'of another network': { entries: [entry({ chain: 'other' })] },
    'settled': { phase: 'none' },
    'closed already': { phase: 'closing' },
    'worth no more than the fee': { escrow: 70 },
  })) {
    const w = world(how);
    await w.refunds.sweep();
    assert.equal(w.posts.length, 0, what);
  }
  const w = world({ entries: [entry({ gone: false, at: NOW - 600_000 })] }); // left long ago and not settled
  await w.refunds.sweep();
  assert.equal(w.posts.length, 1);
});

test('an order that may still come is not forgotten', async () => {
  const w = world({ phase: 'none', entries: [entry({ locked: false, voucher: null, untilMS: NOW + 1000 })] });
  await w.refunds.sweep();
  assert.equal(w.entries.length, 1);
  w.phase = 'open';
  await w.refunds.sweep();
  assert.equal(w.posts.length, 1);
  const op = fields(bytesOf(fields(bytesOf(fields(unbase64(w.posts[0].tx)), 1)), 19));
  assert.equal(manyOf(op, 3).length, 0, 'nothing was promised, so nothing is presented');
});

test('a gateway that is busy, out of reach or behind is asked again, with a new signature each time', async () => {
  const w = world({ answers: [503, 409, 202] });
  await w.refunds.sweep();
  assert.deepEqual([w.posts.length, w.phase], [3, 'closing']);
  const cut = world({ answers: [null] });
  await cut.refunds.sweep();
  assert.deepEqual([cut.posts.length, cut.phase], [2, 'closing']); // some seconds later
  const away = world({ answers: Array(6).fill(null) });
  await away.refunds.sweep();
  assert.deepEqual([away.posts.length, away.phase], [6, 'open']);
  await away.refunds.sweep(); // the next one goes on
  assert.equal(away.phase, 'closing');
});

test('a pool that loses it is asked again now and then, and not for ever', async () => {
  const w = world({ lands: false });
  await w.refunds.sweep();
  assert.ok(w.posts.length > 1 && w.posts.length < 5 && w.waits < 30, `${w.posts.length} posts, ${w.waits} waits`);
  assert.equal(w.entries.length, 1);
});

test('what cannot be is said, once, and not tried for ever', async () => {
  const poor = world({ balance: 9n });
  await poor.refunds.sweep();
  await poor.refunds.sweep();
  assert.deepEqual([poor.posts.length, poor.said.length], [0, 1]);
  assert.match(poor.said[0], /cannot pay the ledger’s fee\. 0\.0000594 FRM/);
  const never = world({ answers: [403] });
  await never.refunds.sweep();
  assert.equal(never.posts.length, 1);
});

test('what is said while a sweep runs is looked at by it', async () => {
  const w = world({ entries: [] }), first = w.refunds.sweep();
  w.entries = [entry()];
  assert.equal(w.refunds.sweep(), first);
  await first;
  assert.equal(w.posts.length, 1);
});
