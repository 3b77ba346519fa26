// A second implementation of docs/spec/match.md, against the vectors: what an indexer signs
// can be recomputed from its text, by somebody who has not read the indexer's code. It is no
// part of the page.
import test from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { webcrypto as crypto, createHash } from 'node:crypto';
import { fields, bytesOf, numberOf, manyOf } from '../web/proto.js';
import { unhex, hex, concat, equal } from '../web/bytes.js';
import { openEnvelope } from '../web/verify.js';

const v = JSON.parse(readFileSync(new URL('../../../docs/spec/vectors/match/vectors.json', import.meta.url), 'utf8'));

const sha = (...parts) => Uint8Array.from(createHash('sha256').update(concat(...parts)).digest());
const byte = n => Uint8Array.of(n);
const big = (bytes, value) => Uint8Array.from({ length: bytes }, (_, i) => Number((value >> BigInt(8 * (bytes - 1 - i))) & 255n));
const min = (a, b) => (a < b ? a : b);
const compare = (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b));
const million = 1_000_000n;

const leafOf = (ad, figures) => (figures.length ? sha(byte(2), figures, ad) : sha(byte(0), ad));
const nodeOf = (a, b) => sha(byte(1), a, b);

function rootOf(leaves) {
  if (!leaves.length) return sha();
  for (let level = leaves; ; ) {
    if (level.length === 1) return level[0];
    level = Array.from({ length: Math.ceil(level.length / 2) }, (_, i) => (2 * i + 1 < level.length ? nodeOf(level[2 * i], level[2 * i + 1]) : level[2 * i]));
  }
}

function leads(root, leaf, i, n, path) {
  if (i >= n) return false;
  for (path = [...path]; n > 1; i = Math.floor(i / 2), n = Math.ceil(n / 2)) {
    if ((i ^ 1) >= n) continue;
    const sibling = path.shift();
    if (sibling?.length !== 32) return false;
    leaf = i % 2 ? nodeOf(sibling, leaf) : nodeOf(leaf, sibling);
  }
  return path.length === 0 && equal(leaf, root);
}

const rankOf = (beacon, request, indexer) => sha(beacon, request, indexer);

function zigzag(packed) {
  const out = [];
  for (let at = 0; at < packed.length;) {
    let n = 0n, shift = 0n;
    do n |= BigInt(packed[at] & 127) << shift, shift += 7n; while (packed[at++] > 127);
    out.push(n & 1n ? -(n + 1n) / 2n : n / 2n);
  }
  return out;
}

function root2(n) {
  let x = BigInt(Math.floor(Math.sqrt(Number(n))));
  while (x * x > n) x--;
  while ((x + 1n) * (x + 1n) <= n) x++;
  return x;
}

/** figuresOf reads the figures of a choice: null where it has none. */
function figuresOf(choice) {
  const raw = choice.findLast(f => f.no === 7);
  if (!raw) return null;
  const f = fields(raw.value), at = no => numberOf(f, no);
  const m = { height: at(1), epoch: at(2), rp: at(3), quality: at(4), priority: at(5), until: at(6) };
  assert.ok(m.height > 0n && m.quality <= million && m.priority <= million, 'figures out of range');
  m.bytes = concat(big(8, m.height), big(8, m.epoch), big(8, m.rp), big(4, m.quality), big(4, m.priority), big(8, m.until));
  return m;
}

/** verify throws unless the certificate follows from what is in it. */
async function verify(sealed) {
  const env = await openEnvelope(sealed, v.network, 'match', crypto.subtle), c = fields(env.payload);
  assert.ok(equal(bytesOf(c, 1), env.peerBytes), 'another indexer');
  const request = fields(bytesOf(c, 2)), now = numberOf(c, 6), beacon = bytesOf(c, 7), n = Number(numberOf(c, 4)), top = manyOf(c, 5);
  assert.ok(beacon.length === 32 && bytesOf(c, 3).length === 32 && top.length >= 1 && top.length <= 3 && n >= top.length);
  const ranks = manyOf(c, 8).map(id => rankOf(beacon, bytesOf(request, 1), id));
  assert.ok(ranks.length <= 3 && ranks.every((r, i) => i === 0 || compare(ranks[i - 1], r) < 0), 'draw');
  const app = hex(bytesOf(request, 3)), region = hex(bytesOf(request, 4)), place = zigzag(bytesOf(request, 8));
  let last;
  const all = [];
  for (const raw of top) {
    const choice = fields(raw), sealedAd = bytesOf(choice, 3), adEnv = await openEnvelope(sealedAd, v.network, 'ad', crypto.subtle), ad = fields(adEnv.payload);
    const id = adEnv.peerBytes, m = figuresOf(choice);
    assert.ok(equal(bytesOf(ad, 1), id) && equal(bytesOf(choice, 1), id), 'whose ad');

    const has = manyOf(ad, 5).some(a => hex(bytesOf(fields(a), 1)) === app), free = numberOf(ad, 8), wait = numberOf(request, 11) > 0n, price = numberOf(ad, 10);
    const here = zigzag(bytesOf(ad, 13)), known = place.length > 0 && here.length > 0;
    const axes = [0, 1, 2, 3].map(i => { const d = (place[i] ?? 0n) - (here[i] ?? 0n); return min(d < 0n ? -d : d, 1_000_000_000n); });
    const d2 = axes.reduce((sum, d) => sum + d * d, 0n), far = min(numberOf(request, 6) * 1000n, 2_000_000_000n), dear = numberOf(request, 7);
    assert.ok(numberOf(ad, 3) > now, 'expired');
    assert.ok(!manyOf(request, 9).some(x => equal(x, id)), 'excluded');
    assert.ok(!region || hex(bytesOf(ad, 4)) === region, 'region');
    assert.ok(free > 0n || (wait && numberOf(ad, 7) > 0n), 'slot');
    assert.ok(has || numberOf(ad, 16) > 0n, 'app');
    assert.ok(!m || (m.rp > 0n && m.until > 0n && m.epoch <= m.until), 'unproven');
    assert.ok((m ? m.rp : numberOf(ad, 6)) >= numberOf(request, 5), 'score');
    assert.ok(far === 0n || (known && d2 <= far * far), 'latency');
    assert.ok(dear === 0n || price <= dear, 'price');

    const half = (x, h) => (million * h) / (h + x), idleSince = numberOf(ad, 14);
    const parts = [300n * half(min(price, 1n << 40n), 250_000n), known ? 350n * half(root2(d2), 20_000n) : 0n, 200n * (m ? m.quality : numberOf(ad, 11)),
      idleSince >= now ? 0n : 100n * ((min(now - idleSince, 600_000n) * million) / 600_000n), 50n * ((min(numberOf(ad, 12), 10n ** 11n) * million) / 10n ** 11n)];
    const score = (parts.reduce((a, b) => a + b, 0n) * (m ? m.priority : million)) / million, said = fields(bytesOf(choice, 4));
    assert.equal(numberOf(choice, 2), score, 'score');
    parts.forEach((p, i) => assert.equal(numberOf(said, i + 1), p, 'part ' + i));
    assert.ok(leads(bytesOf(c, 3), leafOf(sealedAd, m?.bytes ?? new Uint8Array(0)), Number(numberOf(choice, 5)), n, manyOf(choice, 6)), 'path');

    const rank = { ready: (free > 0n ? 0 : 2) + (has ? 0 : 1), score, id };
    assert.ok(!last || last.ready < rank.ready || (last.ready === rank.ready && (last.score > score || (last.score === score && compare(last.id, id) < 0))), 'order');
    last = rank;
    all.push({ id, m, score });
  }
  return all;
}

test('draws follow from the beacon', () => {
  const beacon = sha(new TextEncoder().encode('framemesh/genesis-beacon/1\0' + v.network));
  assert.equal(hex(beacon), v.genesis_beacon);
  const request = unhex(v.draw.request_id), sorted = v.draw.indexers.map(unhex).sort((a, b) => compare(rankOf(beacon, request, a), rankOf(beacon, request, b)));
  assert.deepEqual(sorted.map(hex), v.draw.drawn);
});

test('roots follow from ads and figures', () => {
  assert.ok(v.trees.some(t => t.measured?.includes('')), 'a tree with figures and without');
  for (const t of v.trees) assert.equal(hex(rootOf(t.ads.map((ad, i) => leafOf(unhex(ad), unhex(t.measured?.[i] ?? ''))))), t.root);
});

test('certificates hold where they follow from ads, figures and request, and nowhere else', async () => {
  assert.ok(v.certificates.some(c => c.holds && c.figures) && v.certificates.some(c => c.holds && !c.figures) && v.certificates.some(c => !c.holds));
  for (const c of v.certificates) {
    if (!c.holds) {
      await assert.rejects(verify(unhex(c.sealed)), undefined, c.name);
      continue;
    }
    const all = await verify(unhex(c.sealed));
    for (const [i, f] of (c.figures ?? []).entries()) {
      const { id, m, score } = all[i];
      assert.deepEqual({ container: hex(id), height: String(m.height), epoch: String(m.epoch), rp_milli: String(m.rp), quality_ppm: Number(m.quality),
        priority_ppm: Number(m.priority), proven_until: String(m.until), score: Number(score) }, f, c.name);
    }
  }
});
