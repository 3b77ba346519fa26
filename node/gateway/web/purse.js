// purse.js: what the player has and is ready to spend, in a line at the top of the page.
// In a mesh without a ledger there is nothing of it to see.

import { el, remembered } from './dom.js';
import { getJSON, Refused } from './whep.js';
import { price } from './catalogue.js';
import { amountOf, perSecond, short, exact } from './ledgertx.js';
import { words, tooDear, noMoney, when } from './words.js';

const CEILING = 1_000_000; // µUSD per hour, until the player says otherwise
const CEILING_MOST = 1_000_000_000;
const LEAST_S = 30; // of play that the account has to hold
const SENT_MS = 20_000; // that a transaction is awaited in a block

const limit = remembered(() => localStorage, 'framemesh.ceiling');

export class Purse {
  /** env: {key() → hex or '', keyKnown() → a promise while the key is looked for} */
  constructor(root, env) {
    Object.assign(this, { root, env, ledger: null, account: null, none: false });
    const kept = limit.get(CEILING);
    this.ceiling = Number.isSafeInteger(kept) && kept >= 0 && kept <= CEILING_MOST ? kept : CEILING;
    this.money = el('span.balance', { 'data-purse': 'balance' });
    this.back = el('span.coming', { hidden: true, 'data-purse': 'coming' });
    this.field = el('input', { type: 'number', min: '0', max: String(CEILING_MOST / 1e6), step: '0.05', inputmode: 'decimal', value: (this.ceiling / 1e6).toFixed(2), 'aria-label': 'The most you pay, in dollars an hour', onchange: () => this.#limit() });
    root.replaceChildren(this.money, this.back, el('label', { title: 'Machines that ask for more are left out.' }, 'pay up to $', this.field, ' / h'));
  }

  #limit() {
    const v = Math.round(Number(this.field.value) * 1e6);
    if (Number.isSafeInteger(v) && v >= 0 && v <= CEILING_MOST) {
      this.ceiling = v;
      limit.set(v);
    }
    this.field.value = (this.ceiling / 1e6).toFixed(2);
  }

  /** refresh asks where the ledger stands and what the account has. */
  async refresh() {
    if (this.none) return;
    try {
      const l = await getJSON('/api/ledger');
      this.ledger = { chain: l.chain, symbol: l.symbol, height: l.height, faucet: l.faucet, proofs: l.proofs === true, gift: amountOf(l.gift) ?? 0n, perUSD: amountOf(l.per_usd) ?? 0n, fee: amountOf(l.tx_fee) ?? 0n };
      if (this.env.key()) await this.load();
    } catch (e) {
      this.none = e instanceof Refused && e.problem.code === 'no-ledger';
    }
    this.#draw();
  }

  /** load reads the account anew: {balance, nonce, address, timeMS of the newest block}. */
  async load() {
    const a = await getJSON('/api/ledger/account/' + this.env.key(), { signal: AbortSignal.timeout(3000) }), balance = amountOf(a.balance), nonce = amountOf(a.nonce);
    if (balance === null || nonce === null) throw new Error('the gateway sent no account');
    if (this.next && (nonce >= this.next.nonce || performance.now() - this.next.at > SENT_MS)) this.next = null;
    return this.account = { balance, nonce: this.next?.nonce ?? nonce, address: String(a.address), timeMS: Number.isSafeInteger(a.time_ms) && a.time_ms > 0 ? a.time_ms : 0 };
  }

  /** sent notes that a transaction with that number is on its way: the next one has the number after it. */
  sent(nonce) {
    this.next = { nonce: nonce + 1n, at: performance.now() };
  }

  /** refused takes that back. */
  refused() {
    this.next = null;
  }

  /** coming shows what is on its way back from games whose machines went: a list of {units, atMS}. */
  coming(list) {
    const sum = list.reduce((n, x) => n + x.units, 0n);
    this.back.hidden = sum === 0n;
    if (sum === 0n) return void this.refresh();
    const last = Math.max(...list.map(x => x.atMS));
    this.back.textContent = `+ ${short(sum)} ${this.ledger.symbol} back ${when(last)}`;
    this.back.title = `${exact(sum)} ${this.ledger.symbol} that you set aside for games whose machines went come back by then, or as soon as those settle.`;
  }

  #draw() {
    this.root.hidden = !this.ledger;
    if (!this.ledger) return;
    const { account, ledger } = this;
    const gift = account?.balance === 0n && ledger.faucet ? ', filled when you play' : '';
    this.money.textContent = account ? `${short(account.balance)} ${ledger.symbol}${gift}` : this.env.key() || this.env.keyKnown() ? '' : 'no key to pay with';
    this.money.title = account ? `${exact(account.balance)} ${ledger.symbol} in ${account.address}` : '';
  }

  /** cost is the entry of a tile; null where nothing costs anything. */
  cost(app) {
    if (!this.ledger) return null;
    const least = app.min_price_micro_usd_per_hour, most = Math.max(least, app.max_price_micro_usd_per_hour ?? 0);
    return el('li.cost', { title: this.rate(least, most) }, price(least, most), most > 0 && this.ledger.perUSD > 0n ? el('span.rate', {}, this.rate(least, most)) : null);
  }

  /** rate is a range of prices in the ledger's money, per second. */
  rate(least, most) {
    const at = micro => short(perSecond(micro, this.ledger.perUSD));
    if (most <= 0 || this.ledger.perUSD === 0n) return '';
    return `${most > least ? `${at(least)} – ${at(most)}` : at(least)} ${this.ledger.symbol} / s`;
  }

  /** refusal says in words why a game cannot be paid, before it is started; null when it can. */
  refusal(app) {
    const least = app.min_price_micro_usd_per_hour ?? 0;
    if (!this.ledger || least <= 0) return null;
    if (!this.env.key()) return words.noKey;
    if (least > this.ceiling) return tooDear(least, this.ceiling);
    if (this.ledger.perUSD === 0n) return words.noRate;
    const { account, ledger } = this;
    if (account && !ledger.faucet && account.balance < BigInt(LEAST_S) * perSecond(least, ledger.perUSD)) return noMoney(short(account.balance), ledger.symbol, account.address);
    return null;
  }
}
