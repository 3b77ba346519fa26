// witness.js: the player's word on what was played: each second it signs which inputs it
// sent and what it saw. Nothing waits for it; a page without it plays all the same, only
// that nobody can tell then which inputs were the player's. It draws nothing. See
// docs/spec/work.md.

import { concat, hex, unhex } from './bytes.js';
import { signBytes, num, bytes } from './ledgertx.js';
import { base64 } from './pay.js';

const LEAF = 8, MOST = 300; // bytes for a message, messages in a record
const LIMITS = { frames: 1000, packets: 1 << 20, ms: 60_000 };
const domain = new TextEncoder().encode('framemesh/input/1');

/** quantile is the value that a share of the values are at or below, in whole ms; 0 of none. */
export function quantile(values, share) {
  const v = values.filter(Number.isFinite).sort((a, b) => a - b);
  return v.length ? Math.min(LIMITS.ms, Math.max(1, Math.round(v[Math.min(v.length - 1, Math.floor(v.length * share))]))) : 0;
}

/**
 * Witness signs for one connection. who: {chain, container (32 bytes), session (hex),
 * player (hex)}. env: {sign(bytes), say(message), now() in ms since 1970, last (a number
 * that is kept over a reload, {get, set})}.
 */
export class Witness {
  constructor({ chain, container, session, player }, { sign, say, now = () => Date.now(), last = null, subtle = globalThis.crypto?.subtle }) {
    Object.assign(this, { chain, container, sign, say, now, last, subtle });
    this.session = unhex(session);
    this.salt = concat(domain, unhex(player), this.session);
    this.first = 0;
    this.leaves = []; // promises
    this.seen = '';
    this.clock = Number(last?.get(0)) || 0;
    this.line = Promise.resolve(); // records leave in their order
  }

  /** sent takes a message as it goes out, with its number. */
  sent(message, seq) {
    if (this.leaves.length && seq !== (this.first + this.leaves.length) >>> 0) this.flush();
    if (!this.leaves.length) this.first = seq;
    this.leaves.push(this.subtle.digest('SHA-256', concat(this.salt, new Uint8Array(message))));
    if (this.leaves.length >= MOST) this.flush();
  }

  /** told takes the container's newest frame root. */
  told(m) {
    if (typeof m.frames === 'string' && /^[0-9a-f]{64}$/.test(m.frames)) this.seen = m.frames;
  }

  /** second signs what was sent since the last one, and a receipt for what was seen. */
  second({ frames = 0, lost = 0, packets = 0, latencies = [], acked = 0, stalls = 0 }) {
    this.flush();
    const r = {
      t: 'receipt', second: this.#tick(), frames: within(frames, LIMITS.frames), lost: within(lost, LIMITS.packets), packets: within(packets, LIMITS.packets),
      p50: quantile(latencies, 0.5), p95: quantile(latencies, 0.95), acked: acked >>> 0, stalls: within(stalls, LIMITS.frames), seen: this.seen,
    };
    return this.#queue('receipt', concat(...this.#whose(), num(3, r.second), num(4, r.frames), num(5, r.lost), num(6, r.p50), num(7, r.p95), num(8, r.acked),
      bytes(9, unhex(r.seen)), num(10, r.stalls), num(11, r.packets)), sig => ({ ...r, sig }));
  }

  /** flush signs the messages since the last record, if there are any. */
  flush() {
    if (!this.leaves.length) return this.line;
    const { first, leaves } = this, second = this.#tick(), last = (first + leaves.length - 1) >>> 0;
    this.leaves = [];
    const list = Promise.all(leaves).then(all => concat(...all.map(d => new Uint8Array(d, 0, LEAF))));
    const payload = list.then(async l => concat(...this.#whose(), num(3, second), num(4, first), num(5, last),
      bytes(6, new Uint8Array(await this.subtle.digest('SHA-256', l)))));
    return this.#queue('inputs', payload, async sig => ({ t: 'inputs', second, first, leaves: base64(await list), sig }));
  }

  // A record never has the number of one before, also after a reload.
  #tick() {
    this.clock = Math.max(this.clock + 1, Math.floor(this.now() / 1000));
    this.last?.set(this.clock);
    return this.clock;
  }

  #whose() {
    return [bytes(1, this.container), bytes(2, this.session)];
  }

  #queue(kind, payload, message) {
    this.line = this.line.then(async () => {
      const sig = hex(await this.sign(signBytes(this.chain, kind, await payload)));
      this.say(await message(sig));
    }).catch(() => {}); // what cannot be signed stays unsigned
    return this.line;
  }
}

const within = (v, most) => Math.min(most, Math.max(0, Math.round(Number.isFinite(v) ? v : 0)));
