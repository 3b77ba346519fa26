// taken.js: a container's signed word that it has found an escrow on the ledger and plays for it.
// Without it nobody can say later that the machine went: anybody can set money aside for any
// machine. See docs/spec/payments.md.

import { concat, unhex } from './bytes.js';
import { signBytes, num, bytes } from './ledgertx.js';

const VALID_MS = 120_000; // of an order, by the time of blocks
const SLACK_MS = 60_000; // checkers allow more

/**
 * taken resolves to {sig (hex), openedMS} where a message that an escrow is locked has the
 * container's signature for this session, player and price, and a moment at which the order can
 * have come into a block; null where not. of: {chain, container, session (hex), key, perSecond,
 * untilMS of the order, 0 if it had no end}.
 */
export async function taken({ chain, container, session, key, perSecond, untilMS }, m, subtle = globalThis.crypto?.subtle) {
  const sig = String(m.taken ?? ''), openedMS = m.opened_ms;
  if (!/^[0-9a-f]{128}$/.test(sig) || !Number.isSafeInteger(openedMS) || openedMS <= 0) return null;
  if (untilMS && (openedMS > untilMS + SLACK_MS || openedMS < untilMS - VALID_MS - SLACK_MS)) return null;
  const payload = concat(bytes(1, unhex(session)), bytes(2, key), num(3, perSecond), num(4, openedMS));
  try {
    const pub = await subtle.importKey('raw', container, { name: 'Ed25519' }, false, ['verify']);
    return await subtle.verify({ name: 'Ed25519' }, pub, unhex(sig), signBytes(chain, 'taken', payload)) ? { sig, openedMS } : null;
  } catch {
    return null; // a key that is none
  }
}
