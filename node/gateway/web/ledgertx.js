// ledgertx.js: what a player tells the ledger, byte for byte: transactions, vouchers,
// quotes, and the text of amounts. It computes with BigInt alone; nothing here asks a
// server or draws anything. See docs/spec/payments.md.

import { concat, equal, hex, unhex } from './bytes.js';
import { uvarint } from './proto.js';

const text = s => new TextEncoder().encode(s);
const none = new Uint8Array(0);

/** FRM is one FRM in base units. */
export const FRM = 100_000_000n;
const HOUR_MICRO = 3600n * 1_000_000n;

function varint(v) {
  let n = BigInt(v);
  const out = [];
  for (; n > 0x7fn; n >>= 7n) out.push(Number(n & 0x7fn) | 0x80);
  out.push(Number(n));
  return Uint8Array.from(out);
}

// A field that has its default value is not written: that is the one form of a message.
export const num = (no, v) => (BigInt(v) === 0n ? none : concat(varint(no << 3), varint(v)));
const message = (no, b) => concat(varint(no << 3 | 2), varint(b.length), b);
export const bytes = (no, b) => (b.length === 0 ? none : message(no, b));

function fixed(v, size) {
  const out = new Uint8Array(size);
  let n = BigInt(v);
  for (let i = size - 1; i >= 0; i--) {
    out[i] = Number(n & 0xffn);
    n >>= 8n;
  }
  return out;
}

const big = b => b.reduce((n, x) => (n << 8n) | BigInt(x), 0n);

/** signBytes is what is signed: the domain after its length, then the payload. */
export function signBytes(chain, kind, payload) {
  const domain = text(`framemesh/${chain}/${kind}/1`);
  return concat(uvarint(domain.length), domain, payload);
}

/** openBody is the body of the transaction that locks an escrow. Amounts are BigInt. */
export const openBody = ({ nonce, validUntilMS = 0n, container, session, price, quotes, perSecond, seconds, indexer = none, certificate = none }) =>
  concat(num(1, nonce), num(2, validUntilMS), message(17, concat(bytes(1, container), bytes(2, session), num(3, price), ...quotes.map(q => bytes(4, q)),
    num(5, perSecond), num(6, seconds), bytes(7, indexer), bytes(8, certificate))));

/** topUpBody adds seconds to it. */
export const topUpBody = ({ nonce, validUntilMS = 0n, container, session, seconds }) =>
  concat(num(1, nonce), num(2, validUntilMS), message(18, concat(bytes(1, container), bytes(2, session), num(3, seconds))));

/** closeBody ends it without the container; voucher is the newest, {seq, seconds, paid, signature (64 bytes)}, or nothing. */
export const closeBody = ({ nonce, validUntilMS = 0n, container, session, voucher }) =>
  concat(num(1, nonce), num(2, validUntilMS), message(19, concat(bytes(1, container), bytes(2, session),
    voucher ? message(3, concat(num(1, voucher.seq), num(2, voucher.seconds), num(3, voucher.paid), bytes(4, voucher.signature))) : none)));

/** signed puts a signature to a body. sign(bytes) is the player's key. */
export async function signed(chain, account, body, sign) {
  return concat(bytes(1, body), bytes(2, account), bytes(3, await sign(signBytes(chain, 'tx', body))));
}

/** voucherPayload is the 68 bytes that a voucher signs. */
export const voucherPayload = (container, session, seq, seconds, paid) =>
  concat(container, session, fixed(seq, 8), fixed(seconds, 4), fixed(paid, 8));

/** voucher signs the promise to pay for the first seconds of a session. */
export async function voucher({ chain, container, session, seq, seconds, paid }, sign) {
  return hex(await sign(signBytes(chain, 'voucher', voucherPayload(container, session, seq, seconds, paid))));
}

/** quoteOf reads an oracle's quote of 112 bytes; null for anything else. */
export function quoteOf(b) {
  if (b.length !== 112) return null;
  return { oracle: b.subarray(0, 32), perUSD: big(b.subarray(32, 40)), madeMS: big(b.subarray(40, 48)), payload: b.subarray(0, 48), signature: b.subarray(48) };
}

/** median is the rate that quotes give: of an even number the lower of the middle two. */
export function median(quotes) {
  const rates = quotes.map(q => q.perUSD).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  return rates.length ? rates[(rates.length - 1) >> 1] : 0n;
}

/** perSecond is the price of a second in base units, rounded up. */
export const perSecond = (priceMicro, perUSD) => (BigInt(priceMicro) * BigInt(perUSD) + HOUR_MICRO - 1n) / HOUR_MICRO;

/** peerKey takes the Ed25519 key out of a peer id's bytes; null for ids of another kind. */
export function peerKey(id) {
  const head = Uint8Array.of(0x00, 0x24, 0x08, 0x01, 0x12, 0x20);
  return id.length === 38 && equal(id.subarray(0, 6), head) ? id.slice(6) : null;
}

/** exact writes base units in FRM with every decimal that counts. */
export function exact(units) {
  const n = BigInt(units), part = (n % FRM).toString().padStart(8, '0').replace(/0+$/, '');
  return `${n / FRM}${part ? '.' + part : ''}`;
}

/** short writes base units for a glance: whole above 1000, else about four digits; never more than there is. */
export function short(units) {
  const n = BigInt(units), whole = (n / FRM).toString(), part = (n % FRM).toString().padStart(8, '0');
  if (n >= 1000n * FRM) return whole;
  if (n >= FRM) {
    const digits = part.slice(0, Math.max(1, 4 - whole.length)).replace(/0+$/, '');
    return digits ? `${whole}.${digits}` : whole;
  }
  const zeros = /^0*/.exec(part)[0].length;
  return zeros === 8 ? '0' : `0.${part.slice(0, Math.min(8, zeros + 3)).replace(/0+$/, '')}`;
}

/** amountOf reads a decimal string of base units; null when it is none. */
export const amountOf = s => (typeof s === 'string' && /^(0|[1-9]\d{0,19})$/.test(s) ? BigInt(s) : null);

export { hex, unhex };
