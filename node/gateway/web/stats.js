// stats.js: the overlay of figures. Each figure says where it comes from; what cannot
// be measured is shown as "–", never guessed.

import { el } from './dom.js';
import { reading, figures, digest } from './meter.js';
import { shortId } from './words.js';
import { short, exact } from './ledgertx.js';

const ms = v => (Number.isFinite(v) ? (v < 10 ? v.toFixed(1) : v.toFixed(0)) + ' ms' : '–');
const num = (v, d = 0, unit = '') => (Number.isFinite(v) ? v.toFixed(d) + unit : '–');

// key, label, explanation, value(figures of the browser, last stats of the container,
// session, payer), whether it is about money
const rows = [
  ['input', 'Input → applied', 'From sending a key to the machine saying that the game has used it. The machine says so ten times a second, so this is the best of the last inputs.', (f, c, s) => ms(s.applied.length ? Math.min(...s.applied) : NaN)],
  ['draw', 'Draw', 'Time the game took for one picture, measured on the machine.', (f, c) => ms(c.draw_ms)],
  ['encode', 'Encode', 'Turning the picture into video: colour conversion and H.264, measured on the machine.', (f, c) => ms((c.convert_ms ?? NaN) + (c.encode_ms ?? NaN))],
  ['rtt', 'Network', 'There and back between this browser and the machine, by the connection’s own probes.', f => ms(f.rtt_ms)],
  ['jitter', 'Jitter buffer', 'How long this browser held a frame before decoding it. Near zero is right: the stream asks for no delay.', f => ms(f.jb_ms)],
  ['decode', 'Decode', 'Turning video back into a picture, in this browser.', f => ms(f.decode_ms)],
  ['slack', 'Wait for display', 'How long a finished picture waited for the screen’s next refresh. The machine shifts its clock to keep this near 1 ms.', (f, c, s) => ms(s.slack.wait)],
  ['fps', 'Frames', 'Pictures decoded per second, and in brackets what the game makes.', (f, c) => num(f.fps) + (Number.isFinite(c.fps) ? ` (${num(c.fps)})` : '') + ' /s'],
  ['rate', 'Bitrate', 'Video that arrived, and in brackets what the connection allows. It follows the network by itself.', (f, c) => num(f.kbps / 1000, 1) + (Number.isFinite(c.target_kbps) ? ` (${num(c.target_kbps / 1000, 1)})` : '') + ' Mbit/s'],
  ['loss', 'Loss', 'Share of packets lost in the last second, and pictures skipped.', f => num(f.loss * 100, 1, ' %') + (f.dropped > 0 ? `, ${f.dropped} skipped` : '')],
  ['size', 'Picture', 'Size of the video and the encoder that made it.', (f, c, s) => (f.width ? `${f.width}×${f.height}` : '–') + (s.welcome?.encoder ? ' ' + s.welcome.encoder : '')],
  ['container', 'Machine', 'The peer id of the container that runs the game.', (f, c, s) => shortId(s.container)],
  ['launch', 'Launch', 'Finding a machine, reserving it, and handing over the call, as the gateway measured them.', (f, c, s) => ['match', 'reserve', 'signal'].map(k => num(s.timing?.[k], 0)).join(' + ') + ' ms'],
  ['match', 'Match', 'An indexer signed that this machine was chosen, for this game. The page checked the signature.', (f, c, s) => verdict(s.verified.certificate, s.query.session ? 'resumed' : 'not signed')],
  ['paid', 'Paid', 'What this page has promised for this game so far, and for how many seconds of play.', (f, c, s, p) => (p ? `${short(p.paid)} for ${p.signedFor} s` : ''), true],
  ['escrow', 'Set aside', 'Money that the ledger holds for this game. What is not played comes back when the game ends.', (f, c, s, p) => (p ? (p.escrow.state === 'locked' ? `${short(p.total)} for ${p.escrow.seconds} s` : p.escrow.state || '–') : ''), true],
  ['refund', 'Would come back', 'What would come back if the game ended now.', (f, c, s, p) => (p ? short(p.refund) : ''), true],
  ['vouchers', 'Vouchers', 'Signed promises so far, one a second; in brackets the seconds that the machine has counted and those that it sees paid.', (f, c, s, p) => (p ? `${p.seq} (${p.pay.served} / ${p.pay.covered} s)` : ''), true],
  ['persecond', 'A second costs', 'Fixed for the whole game when it was reserved.', (f, c, s, p) => (p ? exact(p.terms.perSecond) : ''), true],
  ['session', 'Session', 'The name of this game on the ledger.', (f, c, s, p) => (p ? s.session.slice(0, 8) + '…' : ''), true],
  ['answer', 'Answer', 'The machine signed its encryption key, so the gateway cannot listen in. The page checked the signature before it connected.', (f, c, s) => verdict(s.verified.answer, 'not signed')],
];

const verdict = (v, no) => ({ yes: '✓ verified', cannot: 'this browser cannot check', no })[v] ?? v;

/** StatsOverlay reads the counters each second, tells the container, and shows them when open. */
export class StatsOverlay {
  constructor(root) {
    this.cells = new Map();
    const list = el('dl', {});
    for (const [key, label, why, , money] of rows) {
      const value = el('dd', { 'data-stat': key }, '–');
      this.cells.set(key, value);
      list.append(el('div.stat', { title: why, tabindex: '0', 'aria-description': why, hidden: Boolean(money) }, el('dt', {}, label), value, el('p.why', {}, why)));
    }
    this.save = el('button.save', { hidden: true, type: 'button', title: 'For “framemesh match verify”, which recomputes the whole match from this file.', onclick: () => this.#save() }, 'Save the match certificate');
    this.box = el('section.stats', { hidden: true, 'aria-label': 'Statistics' }, el('h2', {}, 'Statistics'), list, this.save);
    root.append(this.box);
  }

  get shown() {
    return !this.box.hidden;
  }

  toggle(on = this.box.hidden) {
    this.box.hidden = !on;
    if (on) this.draw();
    return on;
  }

  /** follow begins with a new connection. */
  follow(session) {
    this.session = session;
    this.container = {};
    this.figures = {};
    this.last = null;
    this.onsecond = null;
    clearInterval(this.timer);
    this.timer = setInterval(() => this.#second(), 1000);
  }

  stop() {
    clearInterval(this.timer);
    this.onsecond = null;
  }

  /** heard takes the container's own figures. */
  heard(message) {
    this.container = message;
  }

  async #second() {
    const s = this.session;
    if (!s || s.closed) return;
    let now;
    try {
      now = reading(await s.pc.getStats());
    } catch {
      return;
    }
    if (this.last) {
      this.figures = figures(this.last, now);
      s.say(digest(this.figures));
      this.onsecond?.({ lost: this.figures.lost, packets: (now.video?.packetsReceived ?? 0) - (this.last.video?.packetsReceived ?? 0) });
    }
    this.last = now;
    if (this.shown) this.draw();
  }

  draw() {
    if (!this.session) return;
    const payer = this.payer?.() ?? null;
    for (const [key, , , value, money] of rows) {
      const text = value(this.figures ?? {}, this.container ?? {}, this.session, payer), cell = this.cells.get(key);
      if (money) cell.parentNode.hidden = !payer;
      if (cell.textContent !== text) cell.textContent = text;
    }
    this.save.hidden = !this.session.certificate?.length;
  }

  #save() {
    const url = URL.createObjectURL(new Blob([this.session.certificate], { type: 'application/octet-stream' }));
    el('a', { href: url, download: `match-${this.session.session.slice(0, 8)}.bin` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000); // the download has begun by then
    this.save.blur(); // the keys are the game's again
  }
}
