import test from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync, existsSync } from 'node:fs';
import { webcrypto as crypto, createPrivateKey, sign as edSign } from 'node:crypto';
import { openBody, topUpBody, closeBody, signed, voucher, voucherPayload, quoteOf, median, perSecond, peerKey, exact, short, amountOf, signBytes } from '../web/ledgertx.js';
import { Payer, TermsError, termsOf, checkTerms } from '../web/pay.js';
import { hex, unhex, unbase64, concat } from '../web/bytes.js';
import { fields, bytesOf, numberOf, uvarint } from '../web/proto.js';
import { tooDear, noMoney, dollars } from '../web/words.js';

const vectors = name => new URL(`../../../docs/spec/vectors/${name}.json`, import.meta.url);
const read = name => JSON.parse(readFileSync(vectors(name), 'utf8'));

/** signer makes the sign function of a seed. */
function signer(seed) {
  const k = createPrivateKey({ key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.from(seed)]), format: 'der', type: 'pkcs8' });
  return async b => new Uint8Array(edSign(null, b, k));
}
const seeded = b => signer(new Uint8Array(32).fill(b));
async function publicKey(b) {
  const k = createPrivateKey({ key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.from(new Uint8Array(32).fill(b))]), format: 'der', type: 'pkcs8' });
  return unhex(Buffer.from(k.export({ format: 'jwk' }).x, 'base64url').toString('hex'));
}

test('the transactions of the specification are made byte for byte', { skip: !existsSync(vectors('ledger-tx')) }, async () => {
  let opens = 0, tops = 0, closes = 0;
  for (const v of read('ledger-tx')) {
    if (!v.valid || v.message?.account) continue;
    const m = v.message, b = s => (s ? unbase64(s) : undefined), sign = v.seed && signer(unhex(v.seed));
    let body;
    if (m.open) {
      const o = m.open;
      body = openBody({ nonce: BigInt(m.nonce ?? 0), validUntilMS: BigInt(m.valid_until_ms ?? 0), container: b(o.container), session: b(o.session), price: BigInt(o.price_micro_usd_per_hour), quotes: o.quotes.map(b), perSecond: BigInt(o.per_second), seconds: o.seconds, indexer: b(o.indexer), certificate: b(o.certificate) });
      opens++;
      const quotes = o.quotes.map(q => quoteOf(b(q)));
      assert.ok(quotes.every(q => q && q.perUSD > 0n));
    } else if (m.top_up && !m.valid_until_ms) {
      body = topUpBody({ nonce: BigInt(m.nonce ?? 0), container: b(m.top_up.container), session: b(m.top_up.session), seconds: m.top_up.seconds });
      tops++;
    } else if (m.close) {
      const c = m.close, w = c.voucher;
      body = closeBody({ nonce: BigInt(m.nonce ?? 0), validUntilMS: BigInt(m.valid_until_ms ?? 0), container: b(c.container), session: b(c.session), voucher: w && { seq: BigInt(w.seq), seconds: w.seconds, paid: BigInt(w.paid), signature: b(w.signature) } });
      closes++;
    } else continue;
    assert.equal(hex(body), v.body, v.name);
    assert.equal(hex(signBytes(v.chain, 'tx', body)), v.sign_bytes, v.name);
    assert.equal(hex(await signed(v.chain, unhex(v.signer), body, sign)), v.raw, v.name);
  }
  assert.ok(opens > 0 && tops > 0 && closes > 0, 'the vectors have orders, additions and closes');
});

test('the vouchers of the specification are signed byte for byte', { skip: !existsSync(vectors('ledger-voucher')) }, async () => {
  const { seed, terms, vouchers } = read('ledger-voucher'), container = unhex(terms.container), session = unhex(terms.session);
  let n = 0;
  for (const v of vouchers) {
    const { chain } = v, seq = BigInt(v.seq), paid = BigInt(v.paid), payload = voucherPayload(container, session, seq, v.seconds, paid);
    if (hex(payload) !== v.payload) continue; // of another session, to be refused
    const sig = await voucher({ chain, container, session, seq, seconds: v.seconds, paid }, signer(unhex(seed)));
    assert.equal(hex(signBytes(chain, 'voucher', payload)), v.sign_bytes, v.name);
    if (sig === v.signature) n++;
  }
  assert.equal(n > 3 && n <= vouchers.length, true, `${n} of ${vouchers.length} signatures are the player's`);
});

test('amounts are exact in text and short at a glance', () => {
  for (const [units, text] of [[0n, '0'], [1n, '0.00000001'], [100_000_000n, '1'], [1_250_000_000n, '12.5'], [4_200_000_000_000_000_000n, '42000000000']]) assert.equal(exact(units), text);
  for (const [units, text] of [[0n, '0'], [6945n, '0.0000694'], [1n, '0.00000001'], [123_456_789n, '1.234'], [10_000_000_000n, '100'], [1_250_000_000n, '12.5'], [12_345_678_901n, '123.4'], [123_456_789_012n, '1234'], [5_000_000n, '0.05']]) assert.equal(short(units), text);
  assert.equal(amountOf('18446744073709551615'), 18446744073709551615n);
  for (const bad of ['', '01', '-1', '1.5', '1e3', 7, null]) assert.equal(amountOf(bad), null);
  assert.equal(perSecond(250000, 100_000_000n), 6945n); // 6944.4… rounded up
  assert.equal(perSecond(3600, 1_000_000n), 1n);
  assert.match(tooDear(400000, 250000).text, /\$0\.40 an hour.*\$0\.25/);
  assert.match(noMoney('0.1', 'FRM', 'frm1x').tip, /frm1x/);
  assert.equal(dollars(2500), '$0.0025');
});

test('a peer id gives its key', () => {
  const head = [0, 0x24, 8, 1, 0x12, 0x20], key = new Uint8Array(32).fill(9);
  assert.deepEqual(peerKey(Uint8Array.from([...head, ...key])), key);
  assert.equal(peerKey(Uint8Array.from([...head, ...key, 1])), null);
  assert.equal(peerKey(new Uint8Array(38)), null);
});

// What a container's terms are made of.
const num = (no, v) => {
  const out = [];
  for (let n = BigInt(v); ; n >>= 7n) {
    if (n < 0x80n) return concat(uvarint(no << 3), Uint8Array.from([...out, Number(n)]));
    out.push(Number(n & 0x7fn) | 0x80);
  }
};
const len = (no, b) => concat(uvarint(no << 3 | 2), uvarint(b.length), b);
const text = s => new TextEncoder().encode(s);
const be8 = v => {
  const b = new Uint8Array(8);
  new DataView(b.buffer).setBigUint64(0, BigInt(v));
  return b;
};
async function quote(b, perUSD, chain = 'net') {
  const payload = concat(await publicKey(b), be8(perUSD), be8(1_700_000_000_000));
  return concat(payload, await seeded(b)(signBytes(chain, 'quote', payload)));
}
async function terms(change = {}) {
  const quotes = change.quotes ?? [await quote(1, 100_000_000), await quote(2, 300_000_000), await quote(3, 200_000_000)];
  return concat(len(1, text(change.chain ?? 'net')), num(2, change.price ?? 360_000), num(3, change.perSecond ?? 20_000), ...quotes.map(q => len(4, q)), num(5, 3), num(6, 1));
}

test('terms hold only at the rate of their quotes, within the ceiling, on this ledger', async () => {
  const check = async (change, how = {}) => checkTerms(termsOf(await terms(change)), { chain: 'net', ceiling: 1_000_000, subtle: crypto.subtle, ...how });
  await check({});
  assert.equal(termsOf(new Uint8Array(0)), null);
  assert.equal(termsOf(concat(len(1, text('net')), num(2, 5))), null); // free
  assert.throws(() => termsOf(Uint8Array.of(0x0a, 0x50)), TermsError);
  const q = await quote(1, 100_000_000), bent = q.slice();
  bent[40] ^= 1;
  for (const [change, how, re] of [
    [{ perSecond: 20_001 }, {}, /not what its rate gives/], [{ price: 0, perSecond: 0 }, {}, /not what/], [{ chain: 'other' }, {}, /another ledger/],
    [{}, { ceiling: 359_999 }, /more than your limit/], [{ quotes: [] }, {}, /no rate/], [{ quotes: [q.slice(1)] }, {}, /no rate/],
    [{ quotes: [q, q], perSecond: 10_000 }, {}, /twice/], [{ quotes: [bent], perSecond: 10_000 }, {}, /not signed/],
    [{ quotes: [await quote(1, 100_000_000, 'other')], perSecond: 10_000 }, {}, /not signed/],
  ]) await assert.rejects(check(change, how), e => e instanceof TermsError && re.test(e.message), String(re));
  await check({ quotes: [await quote(1, 100_000_000), await quote(2, 300_000_000)], perSecond: 10_000 }); // of two the lower
});

// A payer whose words are kept, and a container that can be played by hand.
async function payer(change = {}) {
  const said = [], kept = [], account = { balance: 100_000_000n, nonce: 4n, ...change.account };
  const p = new Payer({ chain: 'net', key: await publicKey(7), container: new Uint8Array(32).fill(3), session: '0a'.repeat(16), terms: termsOf(await terms()), saved: change.saved },
    { account: async () => { if (change.silent) throw new Error('down'); return account; }, sign: seeded(7), say: m => said.push(m), faucet: change.faucet, fee: 1000n, changed() {}, keep: s => kept.push(s), wait: async ms => change.waited?.(ms, account), taken: change.taken ?? (async () => ({ sig: 'ab'.repeat(64), openedMS: 1 })) });
  return { p, said, kept, account, vouchers: () => said.filter(m => m.t === 'voucher') };
}
const settle = () => new Promise(r => setTimeout(r, 5));
async function opened(change) {
  const x = await payer(change), going = x.p.start();
  await settle();
  x.p.heard({ t: 'escrow', state: 'sent', total: '12000000', seconds: 600 });
  x.p.heard({ t: 'escrow', state: 'locked', total: '12000000', seconds: 600 });
  await going;
  await settle();
  return x;
}

test('a page locks ten minutes, pays a second ahead and never more', async () => {
  const { p, said, vouchers } = await opened();
  const raw = unbase64(said[0].tx), body = bytesOf(fields(raw), 1), op = fields(bytesOf(fields(body), 17));
  assert.equal(said[0].t, 'open');
  assert.deepEqual([numberOf(fields(body), 1), numberOf(op, 3), numberOf(op, 5), numberOf(op, 6)], [4n, 360_000n, 20_000n, 600n]);
  assert.deepEqual(vouchers().map(v => [v.seq, v.seconds, v.paid]), [[1, 1, '20000']]);
  for (let i = 0; i < 5; i++) await p.second(1000);
  assert.deepEqual(vouchers().map(v => v.seconds), [1, 2, 3, 4, 5, 6]);
  assert.equal(p.paid, 120_000n);
  assert.equal(p.refund, 12_000_000n - 120_000n);
  await p.second(400); // not a whole second
  assert.equal(vouchers().length, 6);
});

test('a machine that counts more than was seen gets two seconds at most', async () => {
  const { p, vouchers } = await opened();
  for (let i = 0; i < 10; i++) await p.second(1000);
  p.heard({ t: 'pay', state: 'ok', served: 500, covered: 11, paid: '220000' });
  await settle();
  assert.equal(vouchers().at(-1).seconds, 11); // nobody waits for money
  p.heard({ t: 'pay', state: 'unpaid', served: 500, covered: 11, paid: '220000' });
  await settle();
  assert.equal(vouchers().at(-1).seconds, 13);
  p.heard({ t: 'pay', state: 'unpaid', served: 500, covered: 13, paid: '260000' });
  await settle();
  assert.equal(vouchers().at(-1).seconds, 13);
  // A short cut of the network is made up for by exactly what was served.
  const y = await opened();
  for (let i = 0; i < 10; i++) await y.p.second(1000);
  y.p.heard({ t: 'pay', state: 'unpaid', served: 12, covered: 11, paid: '220000' });
  await settle();
  assert.equal(y.vouchers().at(-1).seconds, 12);
});

test('a container that does not sign for the money is paid nothing until it does', async () => {
  let signs = null;
  const { p, kept, vouchers } = await payer({ taken: async () => signs });
  p.start();
  await settle();
  const locked = { t: 'escrow', state: 'locked', total: '12000000', seconds: 600 };
  p.heard(locked);
  p.second(1000);
  await settle();
  assert.equal(vouchers().length, 0);
  assert.match(p.failed, /does not sign/);
  signs = { sig: 'cd'.repeat(64), openedMS: 5 };
  p.heard(locked);
  await settle();
  assert.equal(vouchers().at(-1).seconds, 2);
  assert.equal(p.failed, '');
  assert.deepEqual(kept.at(-1).taken, signs); // over a reload, too
});

test('a container cannot make a page pay before the money is locked, or beyond it', async () => {
  const { p, said, vouchers } = await payer();
  p.start();
  await settle();
  for (let i = 0; i < 5; i++) await p.second(1000);
  p.heard({ t: 'pay', state: 'unpaid', served: 3, covered: 0, paid: '0' });
  await settle();
  assert.equal(vouchers().length, 0);
  p.heard({ t: 'escrow', state: 'locked', total: '1', seconds: 999_999 }); // says more than was signed for
  await settle();
  assert.equal(p.escrow.seconds, 600);
  assert.equal(vouchers().at(-1).seconds, 6);
  assert.equal(said.filter(m => m.t === 'open').length, 1);
  p.seenMS = 4_000_000;
  await p.second(1000);
  assert.equal(vouchers().at(-1).seconds, 600);
});

test('an escrow is as long as the account allows, and waits for a faucet', async () => {
  const small = await payer({ account: { balance: 20_000n * 100n + 2000n } });
  small.p.start();
  await settle();
  assert.equal(numberOf(fields(bytesOf(fields(bytesOf(fields(unbase64(small.said[0].tx)), 1)), 17)), 6), 100n);
  const poor = await payer({ account: { balance: 20_000n * 29n + 2000n } });
  await poor.p.start();
  assert.match(poor.p.failed, /not enough money/);
  assert.equal(poor.said.length, 0);
  let waits = 0;
  const given = await payer({ account: { balance: 0n }, faucet: true, waited: (ms, account) => { if (++waits === 3) account.balance = 10n ** 10n; } });
  given.p.start();
  await settle();
  assert.equal(given.said[0]?.t, 'open');
  const down = await payer({ silent: true });
  await down.p.start();
  assert.match(down.p.failed, /does not answer/);
});

test('a refused escrow is tried again with a fresh nonce, four times at most', async () => {
  const x = await payer(), going = x.p.start();
  for (let i = 0; i < 4; i++) {
    await settle();
    x.account.nonce++;
    x.p.heard({ t: 'escrow', state: 'refused', text: 'The nonce is used.', total: '0', seconds: 0 });
  }
  await going;
  const nonces = x.said.map(m => Number(numberOf(fields(bytesOf(fields(unbase64(m.tx)), 1)), 1)));
  assert.deepEqual(nonces, [4, 5, 6, 7]);
  assert.match(x.p.failed, /nonce is used/);
});

test('what failed is tried again while the game waits for money', async () => {
  const poor = await payer({ account: { balance: 0n } });
  await poor.p.start();
  assert.match(poor.p.failed, /not enough/);
  poor.account.balance = 10n ** 10n;
  poor.p.heard({ t: 'pay', state: 'unpaid', served: 3, covered: 0, paid: '0' });
  poor.p.heard({ t: 'pay', state: 'unpaid', served: 3, covered: 0, paid: '0' });
  await settle();
  assert.deepEqual(poor.said.map(m => m.t), ['open']);
  assert.equal(poor.p.failed, '');
});

test('the escrow is topped up a minute before its end, once', async () => {
  const { p, said } = await opened();
  p.seenMS = 539_000;
  p.second(1000);
  p.second(1000);
  await settle();
  const tops = said.filter(m => m.t === 'topup');
  assert.equal(tops.length, 1);
  const op = fields(bytesOf(fields(bytesOf(fields(unbase64(tops[0].tx)), 1)), 18));
  assert.equal(numberOf(op, 3), 600n);
  p.heard({ t: 'escrow', state: 'locked', total: '24000000', seconds: 1200 });
  await settle();
  assert.equal(p.escrow.seconds, 1200);
});

test('a reload goes on where the page before it was', async () => {
  const first = await opened();
  for (let i = 0; i < 4; i++) await first.p.second(1000);
  const saved = JSON.parse(JSON.stringify(first.kept.at(-1))), again = await payer({ saved });
  await again.p.start();
  assert.equal(again.said.length, 0); // five seconds are paid already
  await again.p.second(1000);
  assert.deepEqual(again.said.map(m => [m.t, m.seq, m.seconds]), [['voucher', 6, 6]]);
});
