// proto.js: a reader for the few protobuf messages that the page verifies. It reads
// bytes that a stranger sent: every length is checked before it is used.

export class ProtoError extends Error {}

function varint(b, at) {
  let v = 0n;
  for (let i = 0; i < 10; i++) {
    if (at + i >= b.length) throw new ProtoError('a number is cut off');
    v |= BigInt(b[at + i] & 0x7f) << BigInt(7 * i);
    if (b[at + i] < 0x80) {
      if (v >= 1n << 64n) throw new ProtoError('a number is too large');
      return [v, at + i + 1];
    }
  }
  throw new ProtoError('a number is too long');
}

/** fields splits a message into {no, value}: value is a BigInt, or a Uint8Array that aliases b. */
export function fields(b) {
  const out = [];
  for (let at = 0; at < b.length;) {
    let key, value, n;
    [key, at] = varint(b, at);
    const no = Number(key >> 3n), wire = Number(key & 7n);
    if (no < 1 || no > 0x1fffffff) throw new ProtoError('a field has no valid number');
    if (wire === 0) {
      [value, at] = varint(b, at);
    } else if (wire === 2) {
      [n, at] = varint(b, at);
      if (n > BigInt(b.length - at)) throw new ProtoError('a field is cut off');
      value = b.subarray(at, at + Number(n));
      at += Number(n);
    } else if (wire === 1 || wire === 5) {
      n = wire === 1 ? 8 : 4;
      if (at + n > b.length) throw new ProtoError('a field is cut off');
      value = b.subarray(at, at + n);
      at += n;
    } else {
      throw new ProtoError('a field is of an unknown kind');
    }
    out.push({ no, value });
  }
  return out;
}

const none = new Uint8Array(0);

/** bytesOf returns the last field of that number as bytes; empty when absent. */
export function bytesOf(list, no) {
  const f = list.findLast(f => f.no === no);
  if (!f) return none;
  if (!(f.value instanceof Uint8Array)) throw new ProtoError('a field is of the wrong kind');
  return f.value;
}

/** numberOf returns the last field of that number as BigInt; 0n when absent. */
export function numberOf(list, no) {
  const f = list.findLast(f => f.no === no);
  if (!f) return 0n;
  if (typeof f.value !== 'bigint') throw new ProtoError('a field is of the wrong kind');
  return f.value;
}

/** manyOf returns all fields of that number as bytes. */
export const manyOf = (list, no) => list.filter(f => f.no === no && f.value instanceof Uint8Array).map(f => f.value);

/** uvarint encodes a length. */
export function uvarint(n) {
  const out = [];
  for (; n > 0x7f; n = Math.floor(n / 128)) out.push((n % 128) | 0x80);
  out.push(n);
  return Uint8Array.from(out);
}
