// pay.js: the player's side of a paid session: it locks an escrow, signs a voucher for
// each second of play that was seen, and adds to the escrow before it ends. It never
// signs for more than one second ahead, and for three seconds that were not seen at most;
// so a machine that goes away costs no more than that. It draws nothing.

import { fields, bytesOf, numberOf, manyOf, ProtoError } from './proto.js';
import { signBytes, openBody, topUpBody, signed, voucher, quoteOf, median, perSecond, amountOf, unhex } from './ledgertx.js';
import { equal } from './bytes.js';

/** TermsError: the container's terms do not hold. Its text is for people. */
export class TermsError extends Error {}

const PLANNED_S = 600; // of an escrow, and of each addition to it: what a machine that goes away can tie up
const LEAST_S = 30; // an escrow shorter than this is not worth its transaction
const TOP_UP_S = 60; // before the end of the escrow
const MONEY_MS = 15_000; // that a faucet's money is waited for
const TRIES = 4; // to open an escrow
const AGAIN_MS = 700;
const LOOK_MS = 250; // between two tries while a faucet's money is waited for
const VALID_MS = 120_000; // of an order, by the time of blocks

/** termsOf reads the terms in an answer's proof; null when play is free. */
export function termsOf(b) {
  if (!b?.length) return null;
  try {
    const f = fields(b);
    if (numberOf(f, 6) === 0n) return null;
    return { chain: new TextDecoder('utf-8', { fatal: true }).decode(bytesOf(f, 1)), price: numberOf(f, 2), perSecond: numberOf(f, 3), quotes: manyOf(f, 4), credit: Number(numberOf(f, 5)) };
  } catch (e) {
    if (e instanceof ProtoError || e instanceof TypeError) throw new TermsError('The machine’s price does not parse.');
    throw e;
  }
}

/**
 * checkTerms throws TermsError unless the price is within the ceiling (µUSD per hour) and
 * a second costs exactly what the signed quotes say. Whether those are oracles of this
 * ledger is checked there: it locks nothing for quotes of others.
 */
export async function checkTerms(terms, { chain, ceiling, subtle = globalThis.crypto?.subtle }) {
  if (terms.chain !== chain) throw new TermsError('The machine wants to be paid on another ledger.');
  if (terms.price > BigInt(ceiling)) throw new TermsError('The machine asks for more than your limit.');
  const quotes = terms.quotes.map(quoteOf);
  if (!quotes.length || quotes.length > 9 || quotes.includes(null)) throw new TermsError('The machine shows no rate for its price.');
  for (const [i, q] of quotes.entries()) {
    if (quotes.some((o, j) => j < i && equal(o.oracle, q.oracle))) throw new TermsError('The machine counts one source of its rate twice.');
    const pub = await subtle.importKey('raw', q.oracle, { name: 'Ed25519' }, false, ['verify']);
    if (!await subtle.verify({ name: 'Ed25519' }, pub, q.signature, signBytes(chain, 'quote', q.payload))) throw new TermsError('The machine’s rate is not signed.');
  }
  if (terms.perSecond === 0n || perSecond(terms.price, median(quotes)) !== terms.perSecond) throw new TermsError('The machine’s price per second is not what its rate gives.');
}

const wait = ms => new Promise(r => setTimeout(r, ms));

/** base64 of bytes. */
export const base64 = b => btoa(String.fromCharCode(...b));

/**
 * Payer pays for one session. env: {account() → {balance, nonce} as BigInt, sign(bytes),
 * say(message), faucet, gift (what it gives), fee, changed(), keep(state), wait(ms)}. how: {chain, key (the
 * player's, 32 bytes), container (32), session (hex), terms, indexer, certificate, saved}.
 * env.sent(nonce) and env.refused() say what became of its transactions, where somebody wants to know.
 * env.taken(message, payer) resolves to the container's word that it plays for the escrow, or null:
 * it is paid nothing before.
 */
export class Payer {
  constructor(how, env) {
    Object.assign(this, how, { env });
    this.sessionBytes = unhex(how.session);
    const s = how.saved ?? {};
    this.seenMS = s.seenMS ?? 0;
    this.seq = s.seq ?? 0;
    this.signedFor = s.signedFor ?? 0; // seconds
    this.newest = s.newest ?? null; // the voucher that was signed last
    this.untilMS = s.untilMS ?? 0; // until when the order may come into a block
    this.taken = s.taken ?? null;
    this.escrow = { state: (this.taken && s.escrow?.state) ?? '', seconds: s.escrow?.seconds ?? 0 };
    this.most = this.escrow.seconds; // that this page has signed for
    this.line = Promise.resolve(); // vouchers leave in their order
    this.pay = { state: '', served: 0, covered: 0, paid: 0n };
    this.failed = '';
    this.adding = false;
    this.closed = false;
  }

  /** paid is what the newest voucher promises, in base units. */
  get paid() {
    return BigInt(this.signedFor) * this.terms.perSecond;
  }

  /** total is what the escrow holds. */
  get total() {
    return BigInt(this.escrow.seconds) * this.terms.perSecond;
  }

  get refund() {
    return this.escrow.state === 'locked' ? this.total - this.paid : 0n;
  }

  /** start opens the escrow, unless this session has one already. */
  async start() {
    if (this.escrow.state === 'locked') return this.#voucher();
    await this.#open();
  }

  close() {
    this.closed = true;
  }

  async #affordable(seconds) {
    const a = await this.env.account(), fee = BigInt(this.env.fee ?? 0);
    // A new account counts for what the faucet gives it: the gift is in the pool before any
    // order of this page, and in the same block.
    const balance = this.env.faucet && a.balance === 0n && a.nonce === 0n ? BigInt(this.env.gift ?? 0) : a.balance;
    const can = balance > 2n * fee ? (balance - 2n * fee) / this.terms.perSecond : 0n;
    return { nonce: a.nonce, validUntilMS: a.timeMS ? BigInt(a.timeMS + VALID_MS) : 0n, seconds: can < BigInt(seconds) ? Number(can) : seconds };
  }

  async #open() {
    let text = '';
    for (let n = 0, waited = 0; n < TRIES && !this.closed;) {
      let a;
      try {
        a = await this.#affordable(PLANNED_S);
      } catch {
        text = 'The ledger does not answer.';
        n++;
        await this.env.wait(AGAIN_MS);
        continue;
      }
      if (a.seconds < LEAST_S) {
        if (this.env.faucet && waited < MONEY_MS) { // its money is on the way
          waited += LOOK_MS;
          await this.env.wait(LOOK_MS);
          continue;
        }
        return this.#fail('There is not enough money in your account for half a minute of play.');
      }
      const t = this.terms, body = openBody({ nonce: a.nonce, validUntilMS: a.validUntilMS, container: this.container, session: this.sessionBytes, price: t.price, quotes: t.quotes, perSecond: t.perSecond, seconds: a.seconds, indexer: this.indexer, certificate: this.certificate });
      const answer = this.#answer();
      this.most = a.seconds;
      this.untilMS = Number(a.validUntilMS);
      this.#keep(); // from now on there may be an escrow
      this.env.sent?.(a.nonce);
      this.env.say({ t: 'open', tx: base64(await signed(this.chain, this.key, body, this.env.sign)) });
      const e = await answer;
      if (this.closed || e.state === 'locked') return;
      this.env.refused?.();
      text = e.text;
      if (e.code === 'money' && this.env.faucet && waited < MONEY_MS) {
        waited += LOOK_MS;
        await this.env.wait(LOOK_MS);
        continue;
      }
      n++;
      await this.env.wait(AGAIN_MS);
    }
    if (!this.closed) this.#fail(text || 'The escrow could not be opened.');
  }

  // answer resolves with the container's word on the transaction that was sent last.
  #answer() {
    return new Promise(r => { this.told = r; });
  }

  #fail(text) {
    this.failed = text;
    this.env.changed();
  }

  // The game waits for money: what failed is tried again now and then, because the money
  // may have come or the ledger may be back.
  async #again() {
    if (this.retrying) return;
    this.retrying = true;
    await this.env.wait(3000);
    if (!this.closed) {
      this.failed = '';
      await this.#open();
    }
    this.retrying = false;
  }

  async #topUp() {
    if (this.adding) return;
    this.adding = true;
    try {
      const a = await this.#affordable(PLANNED_S);
      if (a.seconds < 1) return this.#fail('Your account is empty: the game pauses when the escrow is used up.');
      const answer = this.#answer();
      this.most += a.seconds;
      this.env.sent?.(a.nonce);
      this.env.say({ t: 'topup', tx: base64(await signed(this.chain, this.key, topUpBody({ nonce: a.nonce, validUntilMS: a.validUntilMS, container: this.container, session: this.sessionBytes, seconds: a.seconds }), this.env.sign)) });
      const e = await answer;
      if (e.state === 'refused') {
        this.env.refused?.();
        await this.env.wait(5000);
      } else this.failed = '';
    } catch {
      await this.env.wait(5000); // the ledger does not answer: again later
    } finally {
      this.adding = false;
    }
  }

  /** heard takes the container's words about money. */
  heard(m) {
    if (m.t === 'escrow') this.#escrow(m);
    if (m.t === 'pay') {
      const paid = amountOf(m.paid);
      if (paid === null || !Number.isSafeInteger(m.served) || !Number.isSafeInteger(m.covered)) return;
      this.pay = { state: String(m.state), served: m.served, covered: m.covered, paid };
      if (Number.isSafeInteger(m.seq) && m.seq > this.seq) this.seq = m.seq; // of an earlier page
      if (m.state === 'unpaid' || m.state === 'waiting') this.#voucher();
      if (m.state === 'unpaid' && this.failed && this.escrow.state !== 'locked') this.#again();
      if ((m.state === 'ending-soon' || m.state === 'empty') && this.escrow.state === 'locked') this.#topUp();
    }
    this.env.changed();
  }

  #escrow(m) {
    const e = { state: String(m.state), text: String(m.text ?? '').slice(0, 300), code: String(m.code ?? ''), seconds: Number.isSafeInteger(m.seconds) && m.seconds > 0 ? m.seconds : 0 };
    if (e.state === 'locked') {
      if (!this.taken) return void this.#check(m);
      // No more is set aside than this page has signed for, whatever the container says.
      this.escrow = { state: 'locked', seconds: Math.min(e.seconds, this.most) };
      this.#keep();
      this.#voucher();
    } else if (this.escrow.state !== 'locked') {
      this.escrow = { state: e.state, seconds: e.state === 'sent' ? e.seconds : 0 };
    }
    if (e.state === 'refused' && this.adding) this.most = this.escrow.seconds;
    if (e.state !== 'sent') this.told?.(e);
  }

  async #check(m) {
    const t = await this.env.taken(m, this).catch(() => null);
    if (this.taken || this.closed) return;
    if (!t) return this.#fail('The machine does not sign for your money. It is paid nothing.');
    this.taken = t;
    this.failed = '';
    this.#escrow(m);
    this.env.changed();
  }

  /** second counts time in which pictures came, and pays for it. */
  second(ms) {
    this.seenMS += ms;
    if (this.escrow.state === 'locked' && this.escrow.seconds - this.signedFor <= TOP_UP_S) this.#topUp();
    return this.#voucher();
  }

  /** due is how many seconds this page is ready to pay for now. */
  get due() {
    const seen = Math.floor(this.seenMS / 1000), ahead = seen + 1;
    // Seconds that the machine served and this page did not see, as in a short cut of the
    // network: two, and one more for each minute of play, or the game would never go on.
    const told = this.pay.state === 'unpaid' ? Math.min(this.pay.served, ahead + 2 + Math.floor(seen / 60)) : 0;
    return Math.min(Math.max(ahead, told), this.escrow.seconds);
  }

  #voucher() {
    if (this.closed || this.escrow.state !== 'locked') return;
    const seconds = this.due;
    if (seconds <= this.signedFor) {
      // One that was lost with the connection is sent again, as it was.
      if (this.last && this.pay.covered < this.signedFor && this.pay.state === 'unpaid') this.env.say(this.last);
      return;
    }
    const seq = ++this.seq, paid = BigInt(seconds) * this.terms.perSecond;
    this.signedFor = seconds;
    const { chain, container } = this, signing = voucher({ chain, container, session: this.sessionBytes, seq, seconds, paid }, this.env.sign);
    this.line = this.line.then(async () => {
      const m = { t: 'voucher', seq, seconds, paid: paid.toString(), sig: await signing };
      if (this.closed) return;
      this.newest = { seq, seconds, paid: m.paid, sig: m.sig };
      this.last = m;
      this.env.say(m);
      this.#keep();
      this.env.changed();
    });
    return this.line;
  }

  #keep() {
    this.env.keep?.({ session: this.session, seenMS: Math.round(this.seenMS), seq: this.seq, signedFor: this.signedFor, escrow: this.escrow, newest: this.newest, untilMS: this.untilMS, taken: this.taken });
  }
}

export { wait };
