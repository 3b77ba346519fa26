// refund.js: the money of games whose machines went. It closes a session by the player's key
// alone, with the newest voucher: when the time has passed in which the machine may answer,
// the rest of what was set aside is back. It is fetched when there is something to look for, and
// draws nothing. See docs/spec/payments.md.

import { closeBody, signed, amountOf, short, unhex } from './ledgertx.js';
import { base64 } from './pay.js';
import { when } from './words.js';

const SETTLES_MS = 180_000; // a machine that is there has settled by then what this browser left
const VALID_MS = 120_000; // of a close, by the time of blocks
const RETRIES = 5, RETRY_MS = 4000; // of a sweep to which the gateway or the ledger had no answer
const TRIES = 20, AGAIN_MS = 1500, LOST = 8; // looks without it in a block

/**
 * Refunds looks after the entries of escrows.js. env: {ledger() → {chain, symbol, fee},
 * account() → {balance, nonce, timeMS}, sent(nonce), sign, key() → hex, escrows (the module),
 * say(text), changed(list of {session, units, atMS}), fetch, now(), wait(ms)}.
 */
export class Refunds {
  constructor(env) {
    this.env = { fetch: (...a) => fetch(...a), now: () => Date.now(), wait: ms => new Promise(r => setTimeout(r, ms)), ...env };
    this.coming = new Map(); // by session: {units, atMS}
  }

  /** sweep looks at every entry; it resolves when nothing more is to be done now. */
  sweep() {
    const again = async () => {
      this.again = false;
      for (let n = 0; !await this.#sweep() && n < RETRIES; n++) await this.env.wait(RETRY_MS);
    };
    if (this.running) { // what is new by now is looked at afterwards
      this.again = true;
      return this.running;
    }
    this.running = (async () => {
      do await again(); while (this.again);
    })().finally(() => { this.running = null; });
    return this.running;
  }

  // one look at all; false where one had no answer
  async #sweep() {
    const { env } = this, ledger = env.ledger(), key = env.key();
    if (!ledger || !key) return true;
    let all = true;
    for (const e of env.escrows.all(key)) {
      if (e.chain !== ledger.chain) continue;
      try {
        if (e.gone || env.now() - e.at > SETTLES_MS && await env.escrows.unheld(e.session)) await this.#one(e);
      } catch {
        all = false; // the gateway or the ledger does not answer
      }
    }
    return all;
  }

  async #one(e) {
    let s = await this.#look(e);
    if (s.phase === 'open') s = await this.#close(e, s);
    if (s.phase === 'none') return this.#back(e, s);
    if (s.phase !== 'closing') return;
    const units = s.escrow - s.paid, atMS = s.closesMS;
    this.coming.set(e.session, { session: e.session, units, atMS });
    this.#changed();
    this.#say(e, `${this.#money(units)} that you set aside come back ${when(atMS, this.env.now())} at the latest, sooner if the machine settles.`);
  }

  // back forgets what the ledger does not hold any more. An order that is on its way may yet be there.
  #back(e, { timeMS }) {
    if (!e.locked && timeMS <= (e.untilMS ?? 0)) return;
    this.env.escrows.forget(e.session);
    if (this.coming.delete(e.session)) this.#changed();
  }

  #changed() {
    this.env.changed([...this.coming.values()]);
  }

  #money(units) {
    return `${short(units)} ${this.env.ledger().symbol}`;
  }

  // say tells a thing once, also after a reload.
  #say(e, text) {
    if (e.told === text) return;
    e.told = text;
    this.env.escrows.note(e.session, { told: text, gone: true });
    this.env.say(text);
  }

  async #look({ container, session }) {
    const r = await this.env.fetch(`/api/ledger/session/${container}/${session}`, { cache: 'no-store' });
    if (!r.ok) throw new Error(`the gateway answers ${r.status}`);
    const s = await r.json(), escrow = amountOf(s.escrow), paid = amountOf(s.paid);
    if (escrow === null || paid === null || paid > escrow) throw new Error('the gateway sent no session');
    return { phase: String(s.phase), escrow, paid, closesMS: Number(s.closes_ms), expiresMS: Number(s.expires_ms), timeMS: Number(s.time_ms) };
  }

  // close asks until a block has it, somebody else was faster, or it is of no use.
  async #close(e, s) {
    const { env } = this, { fee } = env.ledger(), v = e.voucher, paid = v ? BigInt(v.paid) : 0n;
    if (s.escrow - paid <= fee) return s; // it would cost what it brings
    for (let n = 0, sent = -Infinity; n < TRIES && s.phase === 'open'; n++) {
      if (n) await env.wait(AGAIN_MS);
      if (n - sent > LOST) { // not sent yet, or the pools have lost it
        const r = await this.#send(e, v);
        if (r === 'sent') sent = n;
        else if (r === 'never') return s;
        else if (r === 'poor') {
          this.#say(e, `Your account cannot pay the ledger’s fee. ${this.#money(s.escrow - paid)} that you set aside come back by themselves ${when(s.expiresMS, env.now())}, or sooner if the machine settles.`);
          return s;
        }
      }
      s = await this.#look(e);
    }
    return s;
  }

  async #send(e, v) {
    const { env } = this, { chain, fee } = env.ledger(), a = await env.account();
    if (a.balance < fee) return 'poor';
    const body = closeBody({ nonce: a.nonce, validUntilMS: a.timeMS ? BigInt(a.timeMS + VALID_MS) : 0n, container: unhex(e.container), session: unhex(e.session),
      voucher: v && { seq: v.seq, seconds: v.seconds, paid: BigInt(v.paid), signature: unhex(v.sig) } });
    const tx = base64(await signed(chain, unhex(e.key), body, env.sign));
    const r = await env.fetch(`/api/sessions/${e.session}/close`, { method: 'POST', body: JSON.stringify({ tx }), cache: 'no-store', headers: { 'Content-Type': 'application/json' } });
    if (r.ok) {
      env.sent(a.nonce);
      return 'sent';
    }
    if (r.status === 402) return 'poor';
    return r.status === 400 || r.status === 403 ? 'never' : 'again';
  }
}
