// till.js: money while a game is on: it puts a Payer beside a session, counts the seconds
// in which pictures come, and says in a line over the picture what was spent.

import { remembered, el } from './dom.js';
import { Payer, TermsError, termsOf, checkTerms, wait } from './pay.js';
import { peerKey, short, exact, hex, unhex } from './ledgertx.js';
import { dollars } from './words.js';
import { note, hold } from './escrows.js';

/** paying is what a reload needs to go on paying for the same session. */
const paying = remembered(() => sessionStorage, 'framemesh.paying');

export class Till {
  /** env: {purse, key(), sign} */
  constructor(env) {
    this.env = env;
    this.line = el('span.spent', { hidden: true, 'data-money': '', 'aria-live': 'off' });
    this.payer = null;
  }

  /**
   * open pays for a session of the owner's if its machine asks for that. It throws
   * TermsError when what the machine asks for does not hold; nothing is paid then.
   */
  async open(s) {
    this.close();
    const terms = termsOf(s.terms), { purse } = this.env;
    if (!terms) return;
    if (!purse.ledger) await purse.refresh();
    if (!purse.ledger || !this.env.key()) throw new TermsError('The machine wants to be paid, and this page has nothing to pay with.');
    const resumed = Boolean(s.query.session), saved = paying.get(null), known = resumed && saved?.session === s.session ? saved : null;
    await checkTerms(terms, { chain: purse.ledger.chain, ceiling: Math.max(purse.ceiling, known ? Number(terms.price) : 0) });
    if (s.closed) return;
    const container = peerKey(s.containerBytes), indexer = s.indexerBytes && peerKey(s.indexerBytes);
    if (!container) throw new TermsError('The machine has no key that can be paid.');
    const certificate = indexer && s.certificate ? new Uint8Array(await crypto.subtle.digest('SHA-256', s.certificate)) : undefined;
    const p = this.payer = new Payer({ chain: terms.chain, key: unhex(this.env.key()), container, session: s.session, terms, indexer: indexer ?? undefined, certificate, saved: known }, {
      account: () => purse.load(), sign: this.env.sign, say: m => s.say(m), faucet: purse.ledger.faucet, gift: purse.ledger.gift, fee: purse.ledger.fee,
      changed: () => this.#draw(), wait, sent: nonce => purse.sent(nonce), refused: () => purse.refused(),
      taken: async (m, p) => (await import('./taken.js')).taken({ chain: p.chain, container, session: s.session, key: p.key, perSecond: terms.perSecond, untilMS: p.untilMS }, m),
      keep: st => {
        paying.set(st);
        note(s.session, { key: this.env.key(), chain: terms.chain, container: hex(container), locked: st.escrow.state === 'locked', voucher: st.newest, untilMS: st.untilMS, gone: false });
      },
    });
    this.release = hold(s.session);
    this.#draw();
    let last = performance.now(), beats = 0;
    this.timer = setInterval(async () => {
      const now = performance.now(), ms = Math.min(now - last, 2000);
      last = now;
      if (++beats % 30 === 0 && p.escrow.state === 'locked') note(s.session, {}); // it is played, if paused
      if (!s.paused && await s.moved() && p === this.payer) p.second(ms);
    }, 1000);
    if (s.talks) p.start();
    else s.addEventListener('talking', () => p.start(), { once: true });
  }

  heard(m) {
    this.payer?.heard(m);
  }

  /** close ends paying; what was signed stays as it is. */
  close() {
    clearInterval(this.timer);
    this.release?.();
    this.payer?.close();
    this.payer = null;
    this.line.hidden = true;
  }

  /** bill says what was paid and what comes back; '' for a free game. */
  bill() {
    const p = this.payer, { purse } = this.env;
    if (!p) return '';
    const unit = purse.ledger.symbol;
    if (p.escrow.state !== 'locked') return 'Nothing was paid.';
    return `You paid ${short(p.paid)} ${unit} for ${p.signedFor} seconds; ${short(p.refund)} ${unit} set aside and not played come back with the next block.`;
  }

  /** held says what becomes of the money when the machine went; '' where none is set aside. */
  held() {
    const p = this.payer, { purse } = this.env;
    if (p?.escrow.state !== 'locked') return '';
    const unit = purse.ledger.symbol;
    return `It gets ${short(p.paid)} ${unit} at most, for the ${p.signedFor} seconds you played. This page asks the ledger for the other ${short(p.refund)} ${unit}.`;
  }

  #draw() {
    const p = this.payer, { purse } = this.env;
    if (!p) return;
    this.line.hidden = false;
    const rate = `${dollars(p.terms.price)} / h`, unit = purse.ledger.symbol;
    const text = p.failed || (p.escrow.state === 'locked' ? `${short(p.paid)} ${unit} · ${rate}` : `${rate} · setting money aside…`);
    if (this.line.textContent !== text) this.line.textContent = text;
    this.line.classList.toggle('warn', Boolean(p.failed) || p.pay.state === 'unpaid' || p.pay.state === 'empty');
    this.line.title = `${exact(p.terms.perSecond)} ${unit} a second. Set aside: ${exact(p.total)} ${unit}; what is not played comes back.`;
  }
}

export { TermsError };
