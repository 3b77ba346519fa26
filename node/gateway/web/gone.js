// gone.js: what a page says when the machine of a paid game went: the player's word, signed,
// that lets checkers look for it. It is fetched when that happens, and draws nothing. See
// docs/spec/work.md.

import { concat, hex, unhex } from './bytes.js';
import { signBytes, num, bytes } from './ledgertx.js';

const TRIES = 3, AGAIN_MS = 2000;

/**
 * complain signs and posts the player's word; it resolves to whether the gateway took it. of:
 * {chain, container (32 bytes), session (hex), key (the player's, 32 bytes), seconds of play
 * that were promised to be paid, perSecond (BigInt) and taken {sig, openedMS}: the container's word
 * that it plays for them}. env: {sign(bytes), fetch, now() in ms since 1970, wait(ms)}.
 */
export async function complain({ chain, container, session, key, seconds, perSecond, taken }, { sign, fetch = globalThis.fetch, now = () => Date.now(), wait = ms => new Promise(r => setTimeout(r, ms)) }) {
  const say = async atMS => JSON.stringify({ container: hex(container), player: hex(key), seconds, at_ms: atMS,
    sig: hex(await sign(signBytes(chain, 'gone', concat(bytes(1, container), bytes(2, unhex(session)), num(3, seconds), num(4, atMS))))),
    per_second: String(perSecond), opened_ms: taken.openedMS, taken: taken.sig });
  let body = await say(Math.floor(now())), dated = false;
  for (let n = 0; n < TRIES; n++) {
    if (n) await wait(AGAIN_MS);
    try {
      const r = await fetch(`/api/sessions/${session}/gone`, { method: 'POST', body, cache: 'no-store', keepalive: true, headers: { 'Content-Type': 'application/json' } });
      if (r.ok) return true;
      const at = r.status === 409 && Date.parse(r.headers.get('Date'));
      if (at && !dated) { // this machine's clock is wrong, which is no reason not to be heard
        body = await say(at);
        dated = true;
        continue;
      }
      if (r.status < 500 && r.status !== 429) return false;
    } catch { /* the gateway is out of reach, too: it may be this page that is cut off */ }
  }
  return false;
}
