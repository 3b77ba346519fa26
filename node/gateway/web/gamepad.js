// gamepad.js: game controllers. They come and go while playing; each keeps the
// bindings that its owner gave it in this browser.

import { remembered } from './dom.js';

export const DEAD = 0.12; // share of a stick's way that counts as rest

export const buttonNames = ['A (bottom)', 'B (right)', 'X (left)', 'Y (top)', 'Left bumper', 'Right bumper', 'Left trigger', 'Right trigger',
  'Select', 'Start', 'Left stick press', 'Right stick press', 'D-pad up', 'D-pad down', 'D-pad left', 'D-pad right', 'Home'];

const bindings = remembered(() => localStorage, 'framemesh.gamepads');

/** bindingOf returns {game button: pad button} of a controller; what is not there is bound to itself. */
export const bindingOf = id => bindings.get({})[id] ?? {};

/** bind keeps one binding; to = null takes all of the controller's back. */
export function bind(id, button, to) {
  const all = bindings.get({});
  if (to === null) delete all[id];
  else all[id] = { ...all[id], [button]: to };
  bindings.set(all);
}

/** stick applies the dead zone to both axes of a stick at once and stretches the rest to the full way. */
export function stick(x, y) {
  const r = Math.hypot(x, y);
  if (!(r > DEAD)) return [0, 0];
  const f = Math.min(1, (r - DEAD) / (1 - DEAD)) / r, to = v => Math.round(Math.max(-1, Math.min(1, v * f)) * 32767);
  return [to(x), to(y)];
}

/** readPad turns a Gamepad (or anything shaped like one) into buttons and axes. */
export function readPad(pad, binding = {}) {
  let buttons = 0;
  for (let i = 0; i < buttonNames.length; i++) {
    const b = pad.buttons[binding[i] ?? i];
    if (b && (b.pressed || b.value > 0.5)) buttons |= 1 << i;
  }
  const [lx, ly] = stick(pad.axes[0] ?? 0, pad.axes[1] ?? 0), [rx, ry] = stick(pad.axes[2] ?? 0, pad.axes[3] ?? 0);
  // Pads without the standard mapping often have the cross as a pair of axes at the end.
  if (pad.mapping !== 'standard' && pad.axes.length >= 8) {
    const [hx, hy] = [pad.axes[6], pad.axes[7]];
    buttons |= (hy < -0.5) << 12 | (hy > 0.5) << 13 | (hx < -0.5) << 14 | (hx > 0.5) << 15;
  }
  return { buttons, axes: [lx, ly, rx, ry] };
}

/** connected lists the controllers in the order in which they take seats. */
export const connected = () => [...(navigator.getGamepads?.() ?? [])].filter(p => p && p.connected !== false);

/** Pads hands the controllers to the input, once per animation frame while playing. */
export class Pads {
  constructor(input, { seats = 1, onchange = () => {} } = {}) {
    Object.assign(this, { input, seats: Math.max(1, Math.min(4, seats)), onchange });
    this.names = new Map(); // seat → id, as last seen
  }

  /** poll is called from the page's animation frame. */
  poll() {
    if (document.hidden || !document.hasFocus()) return; // another window has the controller
    const pads = connected();
    for (let seat = 0; seat < this.seats; seat++) {
      const p = pads[seat], was = this.names.get(seat);
      if (p) this.input.pad(seat, 'gamepad', readPad(p, bindingOf(p.id)));
      else if (was) this.input.pad(seat, 'gamepad', null);
      if (p?.id === was) continue;
      if (p) this.names.set(seat, p.id);
      else this.names.delete(seat);
      this.onchange({ seat, id: p?.id ?? was, connected: Boolean(p) });
    }
  }
}
