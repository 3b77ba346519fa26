// escrows.js: what this browser has set aside on the ledger and not seen come back, one entry
// for each session, with the newest voucher. A game whose machine went can be closed from it
// at any later visit. The entries hold nothing that is secret.

import { remembered } from './dom.js';

const PREFIX = 'framemesh.escrow.';
const MOST = 64; // entries; the oldest give way
const entry = session => remembered(() => localStorage, PREFIX + session);

/** note writes down what changed of a session. */
export function note(session, change) {
  const e = entry(session), had = e.get(null);
  if (!had) trim();
  e.set({ ...had, ...change, session, at: Date.now() });
}

/** left marks a session whose machine went; false where nothing of it is known. */
export function left(session) {
  const known = Boolean(entry(session).get(null));
  if (known) note(session, { gone: true });
  return known;
}

export const forget = session => entry(session).clear();

/** all are the entries of a player's key, oldest first. */
export function all(key) {
  const out = [];
  try {
    for (let i = 0; i < localStorage.length; i++) {
      const k = localStorage.key(i), v = k.startsWith(PREFIX) && entry(k.slice(PREFIX.length)).get(null);
      if (v && (!key || v.key === key)) out.push(v);
    }
  } catch { /* blocked storage remembers nothing */ }
  return out.sort((a, b) => a.at - b.at);
}

function trim() {
  for (const e of all().slice(0, -MOST + 1)) forget(e.session);
}

/**
 * hold says to other tabs that this one plays a session, until the function that it returns is
 * called or the tab is gone.
 */
export function hold(session) {
  let release = () => {};
  const held = new Promise(r => { release = r; });
  navigator.locks?.request(PREFIX + session, () => held).catch(() => {}); // a tab that goes lets go
  return release;
}

/** unheld says whether no tab plays a session; where tabs cannot tell, the entry's age has to do. */
export async function unheld(session) {
  if (!globalThis.navigator?.locks) return true;
  return navigator.locks.request(PREFIX + session, { ifAvailable: true }, lock => lock !== null);
}
