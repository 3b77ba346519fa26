// veil.js: what covers the picture when there is none: the stages of a launch, the
// place in the queue, a failure and the way out of it.

import { el, icon } from './dom.js';

const stages = [['finding', 'Finding a machine'], ['reserving', 'Reserving it'], ['connecting', 'Connecting'], ['picture', 'First picture']];

export class Veil {
  constructor(root) {
    this.root = root;
  }

  get shown() {
    return !this.root.hidden;
  }

  hide() {
    this.#stopCount();
    this.root.hidden = true;
    this.root.replaceChildren();
    delete this.root.dataset.kind;
  }

  #show(kind, ...children) {
    this.#stopCount();
    this.root.dataset.kind = kind;
    this.root.replaceChildren(el('div.card', {}, ...children));
    this.root.hidden = false;
  }

  /** launching shows the stages; stage() moves on. */
  launching(title, cancel, verb = 'Starting') {
    this.items = new Map(stages.map(([k, text]) => [k, el('li', { 'data-stage': k }, el('span.dot', { 'aria-hidden': 'true' }), el('span', {}, text), el('span.ms'))]));
    this.#show('launching', el('h2', {}, `${verb} ${title}`), el('ol.stages', { 'aria-live': 'polite' }, [...this.items.values()]), el('button', { onclick: cancel }, 'Cancel'));
    this.stage('finding');
  }

  /** stage marks one stage as going on and those before as done; timing gives their ms. */
  stage(name, timing = {}) {
    if (this.root.dataset.kind !== 'launching') return;
    let before = true;
    for (const [k] of stages) {
      const li = this.items.get(k);
      if (k === name) before = false;
      li.classList.toggle('done', before && k !== name);
      li.classList.toggle('now', k === name);
    }
    const note = (k, v) => { if (Number.isFinite(v)) this.items.get(k).lastChild.textContent = v.toFixed(0) + ' ms'; };
    note('finding', timing.match);
    note('reserving', timing.reserve);
  }

  /** queue shows the place in line. */
  queue(title, position, text, cancel) {
    this.#show('queue', el('h2', {}, 'Every machine is busy'),
      el('p.place', { 'aria-live': 'polite' }, position > 0 ? el('b', {}, String(position)) : null, position > 1 ? 'your place in line' : position === 1 ? 'you are next' : 'waiting for your place'),
      text ? el('p', {}, text) : null, el('p.tip', {}, `${title} starts by itself as soon as a place is free.`), el('button', { onclick: cancel }, 'Leave the queue'));
  }

  /** wait shows one sentence while something is found out. */
  wait(title, text) {
    this.#show('wait', el('h2', {}, title), el('p', {}, text), el('div.bar', { role: 'progressbar', 'aria-label': title }));
  }

  /**
   * failed shows words {title, text, tip, lines} and buttons [{text, run, primary, seconds}];
   * a button with seconds presses itself after them.
   */
  failed(words, buttons) {
    const made = buttons.map(b => {
      const label = el('span', {}, b.text);
      return { ...b, label, node: el('button' + (b.primary ? '.primary' : ''), { onclick: () => { this.#stopCount(); b.run(); } }, label) };
    });
    this.#show('failed', el('div.badge', {}, icon('alert')), el('h2', {}, words.title), words.text ? el('p', {}, words.text) : null,
      words.lines?.length ? el('ul.lines', {}, words.lines.map(l => el('li', {}, l))) : null, words.tip ? el('p.tip', {}, words.tip) : null,
      el('div.buttons', {}, made.map(b => b.node)));
    this.root.firstChild.setAttribute('role', 'alert');
    const counted = made.find(b => b.seconds);
    if (counted) this.#count(counted);
    (made.find(b => b.primary) ?? made[0])?.node.focus({ preventScroll: true });
  }

  #count(b) {
    let left = b.seconds;
    const draw = () => { b.label.textContent = `${b.text} (${left})`; };
    draw();
    this.counter = setInterval(() => {
      left--;
      if (left > 0) return draw();
      this.#stopCount();
      b.run();
    }, 1000);
  }

  #stopCount() {
    clearInterval(this.counter);
  }
}
