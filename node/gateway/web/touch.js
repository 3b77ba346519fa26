// touch.js: a stick and buttons on glass. The stick appears where the thumb lands, so
// nobody has to look for it.

import { el } from './dom.js';

const DPAD = { up: 1 << 12, down: 1 << 13, left: 1 << 14, right: 1 << 15 };
const REST = 0.18, PUSH = 0.42; // shares of the radius: below is rest, above also presses the cross

/** stickAt turns the thumb's way from the stick's centre (px, radius px) into axes and cross buttons. */
export function stickAt(dx, dy, radius) {
  const r = Math.hypot(dx, dy), n = Math.min(1, r / radius);
  if (n < REST) return { axes: [0, 0, 0, 0], buttons: 0, x: dx, y: dy };
  const ux = dx / r, uy = dy / r, s = (n - REST) / (1 - REST);
  let buttons = 0;
  if (n >= PUSH) { // eight directions: a diagonal is the 45° around it
    if (ux < -0.383) buttons |= DPAD.left;
    if (ux > 0.383) buttons |= DPAD.right;
    if (uy < -0.383) buttons |= DPAD.up;
    if (uy > 0.383) buttons |= DPAD.down;
  }
  return { axes: [Math.round(ux * s * 32767), Math.round(uy * s * 32767), 0, 0], buttons, x: ux * n * radius, y: uy * n * radius };
}

const face = [['Y', 3, 'top'], ['X', 2, 'left'], ['B', 1, 'right'], ['A', 0, 'bottom']];

/** TouchControls lays the controls over (or under) the picture and feeds seat 0. */
export class TouchControls {
  constructor(input, root) {
    Object.assign(this, { input, root, buttons: 0, stick: { axes: [0, 0, 0, 0], buttons: 0 }, thumb: null });
    this.knob = el('div.knob');
    this.base = el('div.stick-base', {}, this.knob);
    this.zone = el('div.stick-zone', { 'aria-hidden': 'true' }, this.base);
    const key = (label, bit, cls) => {
      const b = el('div.tkey.' + cls, { role: 'button', 'aria-label': 'Button ' + label }, label);
      const set = down => e => {
        e.preventDefault();
        if (down) b.setPointerCapture?.(e.pointerId);
        b.classList.toggle('down', down);
        this.buttons = down ? this.buttons | (1 << bit) : this.buttons & ~(1 << bit);
        this.#tell();
        if (down) navigator.vibrate?.(8);
      };
      b.addEventListener('pointerdown', set(true));
      for (const t of ['pointerup', 'pointercancel', 'lostpointercapture']) b.addEventListener(t, set(false));
      return b;
    };
    this.pad = el('div.touch', { hidden: true },
      this.zone,
      el('div.diamond', {}, face.map(([l, bit, place]) => key(l, bit, place))),
      el('div.touch-mid', {}, key('Select', 8, 'small'), key('Start', 9, 'small')));
    root.append(this.pad);
    this.zone.addEventListener('pointerdown', e => this.#start(e));
    this.zone.addEventListener('pointermove', e => this.#move(e));
    for (const t of ['pointerup', 'pointercancel', 'lostpointercapture']) this.zone.addEventListener(t, e => this.#end(e));
    this.pad.addEventListener('contextmenu', e => e.preventDefault());
  }

  get shown() {
    return !this.pad.hidden;
  }

  show(on) {
    this.pad.hidden = !on;
    this.root.classList.toggle('with-touch', on);
    if (!on) this.reset();
  }

  /** reset lets everything go. */
  reset() {
    this.buttons = 0;
    this.thumb = null;
    this.stick = { axes: [0, 0, 0, 0], buttons: 0 };
    this.pad.querySelectorAll('.down').forEach(b => b.classList.remove('down'));
    this.#draw(0, 0);
    this.input.pad(0, 'touch', null);
  }

  #start(e) {
    if (this.thumb !== null) return;
    e.preventDefault();
    this.zone.setPointerCapture?.(e.pointerId);
    const z = this.zone.getBoundingClientRect(), r = this.#radius();
    const cx = Math.max(r, Math.min(z.width - r, e.clientX - z.left)), cy = Math.max(r, Math.min(z.height - r, e.clientY - z.top));
    this.thumb = { id: e.pointerId, x: z.left + cx, y: z.top + cy };
    this.base.style.left = cx + 'px';
    this.base.style.top = cy + 'px';
    this.base.classList.add('live');
    this.#move(e);
  }

  #move(e) {
    if (this.thumb?.id !== e.pointerId) return;
    this.stick = stickAt(e.clientX - this.thumb.x, e.clientY - this.thumb.y, this.#radius());
    this.#draw(this.stick.x, this.stick.y);
    this.#tell();
  }

  #end(e) {
    if (this.thumb?.id !== e.pointerId) return;
    this.thumb = null;
    this.base.classList.remove('live');
    this.base.style.left = this.base.style.top = '';
    this.stick = { axes: [0, 0, 0, 0], buttons: 0 };
    this.#draw(0, 0);
    this.#tell();
  }

  #radius() {
    return (this.base.offsetWidth || 120) / 2;
  }

  #draw(x, y) {
    this.knob.style.transform = `translate(${x}px, ${y}px)`;
  }

  #tell() {
    this.input.pad(0, 'touch', { buttons: this.buttons | this.stick.buttons, axes: this.stick.axes });
  }
}
