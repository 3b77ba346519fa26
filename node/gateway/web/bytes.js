// bytes.js: text forms of bytes.

export const hex = b => Array.from(b, x => x.toString(16).padStart(2, '0')).join('');

/** unhex returns bytes, or null when s is not an even number of hex digits. */
export function unhex(s) {
  if (s.length % 2 || !/^[0-9a-fA-F]*$/.test(s)) return null;
  return Uint8Array.from(s.match(/../g) ?? [], x => parseInt(x, 16));
}

/** unbase64 returns bytes, or null when s is not base64. */
export function unbase64(s) {
  try {
    return Uint8Array.from(atob(s), c => c.charCodeAt(0));
  } catch {
    return null;
  }
}

export const concat = (...parts) => {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) {
    out.set(p, at);
    at += p.length;
  }
  return out;
};

export const equal = (a, b) => a.length === b.length && a.every((x, i) => x === b[i]);

const alphabet = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';

/** base58 writes bytes as peer ids are written. */
export function base58(b) {
  let zeros = 0, n = 0n, s = '';
  while (zeros < b.length && b[zeros] === 0) zeros++;
  for (const x of b) n = (n << 8n) | BigInt(x);
  for (; n > 0n; n /= 58n) s = alphabet[Number(n % 58n)] + s;
  return '1'.repeat(zeros) + s;
}
