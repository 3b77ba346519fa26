// identity.js: the player's key. Made here, kept in this browser, never readable: the
// private half cannot be exported even by this page.

const open = () => new Promise((ok, no) => {
  const r = indexedDB.open('framemesh', 1);
  r.onupgradeneeded = () => r.result.createObjectStore('keys');
  r.onsuccess = () => ok(r.result);
  r.onerror = () => no(r.error);
});
const run = (db, mode, f) => new Promise((ok, no) => {
  const t = db.transaction('keys', mode), q = f(t.objectStore('keys'));
  t.oncomplete = () => ok(q.result);
  t.onerror = t.onabort = () => no(t.error);
});

let pair = null;

/** playerKey returns the public key as hex, or '' in a browser without Ed25519 or storage. */
export async function playerKey() {
  try {
    const db = await open();
    pair = await run(db, 'readonly', s => s.get('player'));
    if (!pair) {
      pair = await crypto.subtle.generateKey({ name: 'Ed25519' }, false, ['sign', 'verify']);
      await run(db, 'readwrite', s => s.put(pair, 'player'));
    }
    const raw = new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey));
    return Array.from(raw, x => x.toString(16).padStart(2, '0')).join('');
  } catch {
    return '';
  }
}

/** sign signs bytes with the player's key; only after playerKey has found one. */
export const sign = async bytes => new Uint8Array(await crypto.subtle.sign({ name: 'Ed25519' }, pair.privateKey, bytes));
