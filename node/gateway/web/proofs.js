// proofs.js: the panel of Proof of Render, folded into a corner: the clock of the epoch,
// how the containers stand, and what was certified, paid and punished, as it happens. It is
// fetched only where the gateway shows proofs, and asks only while it is open and seen.

import { el } from './dom.js';
import { getJSON } from './whep.js';
import { amountOf, short } from './ledgertx.js';

const EVERY_MS = 1000;

/** phaseAt is where an epoch is: {name, left} in whole seconds, share from 0 to 1. */
export function phaseAt(b, now) {
  const share = Math.max(0, Math.min(1, (now - b.start_ms) / Math.max(1, b.end_ms - b.start_ms)));
  const p = (b.phases ?? []).find(x => now < x.to_ms);
  return { share, name: p?.name ?? 'The next epoch begins', left: p ? Math.ceil((p.to_ms - now) / 1000) : 0 };
}

const points = milli => (milli > 0 ? `${(milli / 1000).toFixed(1)} RP` : '');
// Columns of the table of rounds; phones leave some out.
const columns = ['epoch', 'commits', 'votes', 'certified', 'verified', 'punished', 'rewards'];
const tones = { good: '✓', bad: '✗', note: '·' };

/** reward is what a round paid; a dash while nothing is paid, which is two epochs later. */
export function reward(units, symbol) {
  const n = amountOf(units) ?? 0n;
  return n > 0n ? `${short(n)} ${symbol}` : '–';
}

/** evidence links to what a proof says; nothing where there is none. */
export function evidence(hash) {
  if (!/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(hash ?? '')) return null;
  return el('a', { href: '/api/proofs/' + hash, target: '_blank', rel: 'noopener noreferrer', title: 'What the proof says, as JSON' }, 'evidence');
}

export class Proofs {
  /** env: {back() gives the focus back to a game that runs} */
  constructor(root, env) {
    Object.assign(this, { root, env });
    this.button = el('button.fold', { 'aria-expanded': 'false', 'aria-controls': 'proofs-panel', onclick: e => this.toggle(e.detail > 0) }, 'Proofs');
    this.clock = el('p.clock');
    this.bar = el('progress', { max: '1', value: '0', 'aria-label': 'How far the epoch is' });
    this.containers = el('ul.standing');
    this.rounds = el('tbody');
    this.happened = el('ol.happened');
    this.panel = el('section.panel', { id: 'proofs-panel', hidden: true, tabindex: '-1', 'aria-label': 'Proofs of what was rendered', onkeydown: e => this.#key(e) },
      el('header', {}, el('h2', {}, 'Proof of Render'), el('button.tool', { 'aria-label': 'Close the proofs', onclick: () => this.toggle(false) }, '×')),
      this.clock, this.bar, this.containers,
      el('div.scroll', { tabindex: '0', role: 'region', 'aria-label': 'Rounds' }, el('table', {}, el('thead', {}, el('tr', {}, columns.map(t => el('th.' + t, { scope: 'col' }, t)))), this.rounds)),
      el('h3', {}, 'What happened'), this.happened);
    root.replaceChildren(this.button, this.panel);
    root.hidden = false;
  }

  get open() {
    return !this.panel.hidden;
  }

  toggle(byMouse) {
    this.panel.hidden = this.open;
    this.button.setAttribute('aria-expanded', String(this.open));
    clearInterval(this.timer);
    if (!this.open) {
      this.button.focus({ preventScroll: true });
      if (byMouse) this.env.back();
      return;
    }
    if (!byMouse) this.panel.focus({ preventScroll: true });
    this.timer = setInterval(() => this.refresh(), EVERY_MS);
    this.refresh();
  }

  #key(e) {
    e.stopPropagation(); // a game does not hear what is read here
    if (e.key === 'Escape') this.toggle(false);
  }

  async refresh() {
    if (!this.open || document.hidden || this.asking) return;
    this.asking = true;
    try {
      this.show(await getJSON('/api/proofs', { cache: 'no-cache', signal: AbortSignal.timeout(4000) }));
    } catch {
      this.clock.textContent = 'The gateway does not tell of proofs just now. It is asked again in a second.';
    } finally {
      this.asking = false;
    }
  }

  show(b) {
    const p = phaseAt(b, Date.now());
    this.clock.textContent = `Epoch ${b.epoch}: ${p.name}${p.left > 0 ? `, ${p.left} s` : ''}`;
    this.bar.value = p.share;
    this.#draw('containers', b.containers, () => this.containers.replaceChildren(...b.containers.map(c => this.#container(c, b))));
    this.#draw('epochs', b.epochs, () => this.rounds.replaceChildren(...b.epochs.slice().reverse().map(e => el('tr', {}, el('th', { scope: 'row' }, String(e.epoch)),
      [`${e.commits}/${e.containers_challenged}`, e.votes, e.certificates, e.containers_proven, e.slashes, reward(e.rewards, b.symbol)].map((v, i) => el('td.' + columns[i + 1], {}, String(v)))))));
    this.#draw('happened', b.happened, () => this.happened.replaceChildren(...(b.happened.length ? b.happened.map(h => this.#line(h, b)) : [el('li', {}, 'Nothing is certified yet: a round takes an epoch.')])));
  }

  // What has not changed is left as it is, so that nobody loses the place they read.
  #draw(name, value, run) {
    const text = JSON.stringify(value);
    if (this['seen-' + name] === text) return;
    this['seen-' + name] = text;
    run();
  }

  #name(x, b) {
    return (x.name || '…' + String(x.node ?? '').slice(-8)) + (b.cheats.includes(x.name) ? ' (cheats)' : '');
  }

  #container(c, b) {
    const verdict = String(c.verdict);
    return el('li', { title: c.text }, el('b', {}, this.#name(c, b)), el('span.verdict.' + (c.paid ? 'good' : 'bad'), {}, verdict), el('span.rp', {}, points(c.score_milli)),
      el('span.why', {}, c.text, ' ', evidence(c.evidence)));
  }

  #line(h, b) {
    return el('li.' + (h.tone in tones ? h.tone : 'note'), {}, el('span.mark', { 'aria-hidden': 'true' }, tones[h.tone] ?? '·'),
      el('span', {}, el('span.at', {}, `${h.epoch} `), h.node ? el('b', {}, this.#name(h, b) + ': ') : null, h.text, h.code ? el('span.code', {}, ` (${h.code})`) : null, ' ', evidence(h.evidence)));
  }
}
