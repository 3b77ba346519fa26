// input.js: keyboard, mouse, wheel and pointer lock → the state of player 0. Keys are
// released when the page loses sight of them: on blur, when hidden, when it goes.

import { usage } from './hid.js';
import { CONNECTED, GAMEPAD, POINTER, LOCAL_PLAYERS, held } from './packet.js';

// Keys that would scroll or search while a game has them. Everything else (F5, F11,
// F12, Ctrl and Meta combinations) stays the browser's.
const swallowed = new Set(['ArrowUp', 'ArrowDown', 'ArrowLeft', 'ArrowRight', 'Space', 'PageUp', 'PageDown', 'Home', 'End', 'Backspace', 'Slash', 'Quote']);
const spared = new Set(['F5', 'F9', 'F11', 'F12']);
const buttonBits = [1, 4, 2]; // DOM order is left, middle, right; ours is left, right, middle

/** pointerAt maps a place on screen to 0..65535 across the picture, which may have bars around it. */
export function pointerAt(x, y, box, width, height) {
  const scale = Math.min(box.width / width, box.height / height) || 1;
  const w = width * scale, h = height * scale;
  const u = (x - box.left - (box.width - w) / 2) / w, v = (y - box.top - (box.height - h) / 2) / h;
  const to = f => Math.round(Math.min(1, Math.max(0, f)) * 65535);
  return { px: to(u), py: to(v), inside: u >= 0 && u <= 1 && v >= 0 && v <= 1 };
}

/**
 * Input owns the seats' states. Keyboard and pointer write to seat 0 here; gamepads and
 * touch hand their parts to pad(), which merges what acts on the same seat.
 */
export class Input {
  constructor({ stage, video, sender, app }) {
    Object.assign(this, { stage, video, sender, app, locked: false, keysLocked: false, on: false });
    this.parts = Array.from({ length: LOCAL_PLAYERS }, () => new Map()); // seat → source → {buttons, axes}
    this.stop = new AbortController();
  }

  /** start listens until end(). */
  start() {
    const on = (target, type, f, opt = {}) => target.addEventListener(type, f, { signal: this.stop.signal, ...opt });
    const release = () => this.release();
    on(window, 'keydown', e => this.#key(e, true));
    on(window, 'keyup', e => this.#key(e, false));
    on(window, 'blur', release);
    on(window, 'pagehide', release);
    on(document, 'visibilitychange', () => document.hidden && this.release());
    on(document, 'pointerlockchange', () => {
      this.locked = document.pointerLockElement !== null;
      this.release();
    });
    on(document, 'fullscreenchange', () => this.#fullscreen());
    on(this.video, 'contextmenu', e => e.preventDefault());
    on(this.video, 'pointerdown', e => this.#pointer(e, 'down'));
    on(window, 'pointerup', e => this.#pointer(e, 'up'));
    on(window, 'pointercancel', e => this.#pointer(e, 'up'));
    on(window, 'pointermove', e => this.#pointer(e, 'move'));
    // Moves are held back to the display's rate otherwise: up to a frame late.
    if ('onpointerrawupdate' in window) on(this.video, 'pointerrawupdate', e => !this.locked && this.#pointer(e, 'move'));
    on(this.stage, 'wheel', e => this.#wheel(e), { passive: false });
    this.on = true;
  }

  /** open says that the channel can carry: everything known goes out once. */
  open() {
    const s = this.#seat(0);
    s.flags |= CONNECTED | POINTER;
    this.sender.changed(0);
    for (let i = 1; i < LOCAL_PLAYERS; i++) if (this.#seat(i).flags) this.sender.changed(i);
  }

  /** end releases everything and stops listening. */
  end() {
    if (!this.on) return;
    this.release();
    this.on = false;
    this.stop.abort();
    this.sender.stop();
    if (document.pointerLockElement) document.exitPointerLock();
    navigator.keyboard?.unlock?.();
  }

  /** release lets go of every key, button and stick of every seat. */
  release() {
    for (let i = 0; i < LOCAL_PLAYERS; i++) {
      const s = this.#seat(i), was = held(s);
      s.keys.fill(0);
      s.pointer = 0;
      s.buttons = 0;
      s.axes.fill(0);
      this.parts[i].clear();
      if (was && this.on) this.sender.changed(i);
    }
    this.onrelease?.();
  }

  /** press sets a key of seat 0 by its KeyboardEvent.code. */
  press(code, down) {
    const u = usage(code), s = this.#seat(0);
    if (!u) return false;
    const before = s.keys[u >> 3], bit = 1 << (u & 7);
    s.keys[u >> 3] = down ? before | bit : before & ~bit;
    if (s.keys[u >> 3] !== before) this.sender.changed(0);
    return true;
  }

  /** pad takes what one source (a gamepad, the touch controls) holds on a seat; null takes it away. */
  pad(seat, source, part) {
    const s = this.#seat(seat), parts = this.parts[seat];
    if (part) parts.set(source, part);
    else parts.delete(source);
    let buttons = 0, flags = s.flags & ~GAMEPAD;
    const axes = [0, 0, 0, 0];
    for (const p of parts.values()) {
      buttons |= p.buttons;
      p.axes.forEach((a, i) => { if (Math.abs(a) > Math.abs(axes[i])) axes[i] = a; });
    }
    if (parts.size) flags |= GAMEPAD | CONNECTED;
    else if (seat > 0) flags = 0;
    const digital = buttons !== s.buttons || flags !== s.flags, analog = axes.some((a, i) => a !== s.axes[i]);
    if (!digital && !analog) return;
    s.buttons = buttons;
    s.flags = flags;
    s.axes.set(axes);
    if (this.on) this.sender.changed(seat, digital);
  }

  /** point puts the pointer of seat 0 at a place on screen. */
  point(x, y, buttons = this.#seat(0).pointer) {
    const s = this.#seat(0), at = pointerAt(x, y, this.video.getBoundingClientRect(), this.video.videoWidth || this.app.width || 16, this.video.videoHeight || this.app.height || 9);
    const pressed = buttons !== s.pointer;
    if (!pressed && at.px === s.px && at.py === s.py) return;
    Object.assign(s, { px: at.px, py: at.py, pointer: buttons });
    this.sender.changed(0, pressed);
  }

  #seat(i) {
    return this.sender.seats[i].state;
  }

  // Keys belong to the game unless a control or a text field of the page has the focus.
  #ours(e) {
    const t = e.target;
    return !(t instanceof Element && t.closest('button, input, textarea, select, a, dialog, [contenteditable]'));
  }

  #key(e, down) {
    if (!down) { // a release counts wherever the focus is by now
      this.press(e.code, false);
      if (e.key === 'Meta') this.release(); // macOS reports no release of keys held with it
      return;
    }
    if (!this.#ours(e) || e.isComposing) return;
    const combination = (e.ctrlKey && !e.code.startsWith('Control')) || (e.metaKey && !e.code.startsWith('Meta'));
    if (!this.keysLocked && (spared.has(e.code) || combination)) return;
    if (spared.has(e.code)) return;
    if (this.keysLocked || swallowed.has(e.code)) e.preventDefault();
    if (!e.repeat) this.press(e.code, true);
  }

  #pointer(e, what) {
    const s = this.#seat(0), bit = buttonBits[e.button] ?? 0;
    if (e.pointerType === 'touch' && !this.app.pointer) return; // fingers have the touch controls
    if (what === 'down') {
      this.ontouched?.();
      this.stage.focus({ preventScroll: true });
      e.preventDefault();
      if (this.app.pointer_lock && !this.locked && e.pointerType === 'mouse') return void this.lock();
      if (!this.locked) this.video.setPointerCapture?.(e.pointerId);
    }
    if (this.locked) {
      if (e.type === 'pointermove') {
        s.dx = (s.dx + Math.round(e.movementX)) | 0;
        s.dy = (s.dy + Math.round(e.movementY)) | 0;
      }
      const pointer = what === 'down' ? s.pointer | bit : what === 'up' ? s.pointer & ~bit : s.pointer, pressed = pointer !== s.pointer;
      s.pointer = pointer;
      if (pressed || e.movementX || e.movementY) this.sender.changed(0, pressed);
      return;
    }
    if (what === 'move' && e.target !== this.video && !s.pointer) return;
    // A second button while one is held comes as a move whose button says which.
    let pointer = what === 'down' ? s.pointer | bit : what === 'up' ? s.pointer & ~bit : s.pointer;
    if (what === 'move' && e.button >= 0) pointer = (e.buttons & 1) | (e.buttons & 2) | (e.buttons & 4);
    if (what === 'up' && !s.pointer) return;
    this.point(e.clientX, e.clientY, pointer);
  }

  #wheel(e) {
    if (!(e.target === this.video || this.locked)) return;
    e.preventDefault();
    const unit = e.deltaMode === 1 ? 16 : e.deltaMode === 2 ? 400 : 1, s = this.#seat(0);
    s.wheel = (s.wheel + Math.round(e.deltaY * unit)) | 0;
    this.sender.changed(0, false);
  }

  /** lock takes the mouse for relative motion; Esc gives it back. While it lasts every event goes to the video. */
  async lock() {
    try {
      await this.video.requestPointerLock({ unadjustedMovement: true });
    } catch {
      try {
        await this.video.requestPointerLock();
      } catch { /* refused right after Esc: the next click works */ }
    }
  }

  async #fullscreen() {
    this.keysLocked = false;
    if (!document.fullscreenElement) return void navigator.keyboard?.unlock?.();
    try {
      await navigator.keyboard?.lock?.();
      this.keysLocked = Boolean(navigator.keyboard?.lock && document.fullscreenElement);
    } catch { /* then combinations stay the browser's */ }
  }
}
