// packet.js: the bytes on the input channel. Little-endian; the newest sequence number
// wins, so every message is the whole state of one local player.

export const SEAT_BYTES = 72, SLACK_BYTES = 12, LOCAL_PLAYERS = 4;
export const CONNECTED = 1, GAMEPAD = 2, POINTER = 4;

/** blank is the state of a player who touches nothing. */
export const blank = () => ({
  flags: 0, buttons: 0, axes: new Int16Array(4), keys: new Uint8Array(32),
  px: 0, py: 0, dx: 0, dy: 0, wheel: 0, pointer: 0,
});

/** held says whether anything is pressed or pushed. */
export const held = s => s.buttons !== 0 || s.pointer !== 0 || s.axes.some(a => a !== 0) || s.keys.some(k => k !== 0);

/** encodeState writes one player's state. */
export function encodeState(pad, seq, s) {
  const b = new ArrayBuffer(SEAT_BYTES), v = new DataView(b);
  v.setUint8(0, 1);
  v.setUint8(1, pad);
  v.setUint16(2, s.flags, true);
  v.setUint32(4, seq >>> 0, true);
  v.setUint32(8, s.buttons >>> 0, true);
  for (let i = 0; i < 4; i++) v.setInt16(12 + 2 * i, s.axes[i], true);
  new Uint8Array(b, 20, 32).set(s.keys);
  v.setUint16(52, s.px, true);
  v.setUint16(54, s.py, true);
  v.setInt32(56, s.dx | 0, true);
  v.setInt32(60, s.dy | 0, true);
  v.setInt32(64, s.wheel | 0, true);
  v.setUint8(68, s.pointer);
  return b;
}

/** encodeSlack writes a display slack report: how many frames, mean slack and display period in ms. */
export function encodeSlack(samples, slack, period) {
  const b = new ArrayBuffer(SLACK_BYTES), v = new DataView(b);
  v.setUint8(0, 2);
  v.setUint16(2, Math.min(samples, 0xffff), true);
  v.setFloat32(4, slack, true);
  v.setFloat32(8, period, true);
  return b;
}

// When to send. A change goes at once; because the channel may lose a message it is
// repeated twice, one frame apart, and every 100 ms while something is held.
const REPEATS = 2, REPEAT_MS = 16, HELD_MS = 100, MIN_GAP_MS = 4;

/**
 * Sender decides when which player's state goes out. Everything it needs from outside
 * comes in: send(bytes, seq), a clock and timers.
 */
export class Sender {
  constructor({ send, now = () => performance.now(), after = (f, ms) => setTimeout(f, ms), cancel = t => clearTimeout(t) }) {
    Object.assign(this, { send, now, after, cancel });
    this.seats = Array.from({ length: LOCAL_PLAYERS }, () => ({ state: blank(), left: 0, due: Infinity, last: -Infinity }));
    this.seq = 0;
    this.timer = null;
  }

  /** changed sends a player's state. Motion (urgent = false) is gathered to at most 250 messages a second. */
  changed(pad, urgent = true) {
    const s = this.seats[pad], t = this.now();
    if (!urgent && t - s.last < MIN_GAP_MS) {
      s.left = REPEATS + 1;
      s.due = Math.min(s.due, s.last + MIN_GAP_MS);
    } else {
      this.#out(pad, t);
      s.left = REPEATS;
      s.due = t + REPEAT_MS;
    }
    this.#arm();
  }

  /** stop forgets what is due; the next change starts again. */
  stop() {
    this.cancel(this.timer);
    this.timer = null;
    for (const s of this.seats) Object.assign(s, { left: 0, due: Infinity });
  }

  #out(pad, t) {
    const s = this.seats[pad];
    s.last = t;
    this.seq = (this.seq + 1) >>> 0;
    this.send(encodeState(pad, this.seq, s.state), this.seq);
  }

  #arm() {
    const due = Math.min(...this.seats.map(s => s.due));
    if (this.timer !== null) this.cancel(this.timer);
    this.timer = due === Infinity ? null : this.after(() => this.#due(), Math.max(0, due - this.now()));
  }

  #due() {
    this.timer = null;
    const t = this.now();
    this.seats.forEach((s, pad) => {
      if (s.due > t) return;
      this.#out(pad, t);
      s.left = Math.max(0, s.left - 1);
      s.due = s.left > 0 ? t + REPEAT_MS : held(s.state) ? t + HELD_MS : Infinity;
    });
    this.#arm();
  }
}
