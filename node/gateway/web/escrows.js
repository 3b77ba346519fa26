// escrows.js: what this browser has set aside on the ledger and not seen come back, one entry
// for each session, with the newest voucher. A game whose machine went can be closed from it
// at any later visit. The entries hold nothing that is secret.

import { remembered } from './dom.js';

const PREFIX = 'framemesh.escrow.';
const MOST = 64; // entries; the oldest give way
const entry = session => remembered(() => localStorage, PREFIX + session);
const here = new Map(); // of this page, by session: all there is where storage is blocked
const known = session => entry(session).get(null) ?? here.get(session);

/** note writes down what changed of a session. */
export function note(session, change) {
  const had = known(session), now = { ...had, ...change, session, at: Date.now() };
  if (!had) trim();
  here.set(session, now);
  entry(session).set(now);
}

/** left marks a session whose machine went; false where nothing of it is known. */
export function left(session) {
  if (!known(session)) return false;
  note(session, { gone: true });
  return true;
}

export function forget(session) {
  here.delete(session);
  entry(session).clear();
}

/** all are the entries of a player's key, oldest first. */
export function all(key) {
  const found = new Map(here);
  try {
    for (let i = 0; i < localStorage.length; i++) {
      const k = localStorage.key(i), v = k.startsWith(PREFIX) && entry(k.slice(PREFIX.length)).get(null);
      if (v) found.set(v.session, v);
    }
  } catch { /* blocked: what this page knows has to do */ }
  return [...found.values()].filter(v => !key || v.key === key).sort((a, b) => a.at - b.at);
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
