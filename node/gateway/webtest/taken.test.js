import test from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { taken } from '../web/taken.js';
import { unhex } from '../web/bytes.js';

const v = JSON.parse(readFileSync(new URL('../../../docs/spec/vectors/work.json', import.meta.url), 'utf8')), w = v.taken;
const of = { chain: v.chain, container: unhex(w.container), session: v.session, key: unhex(v.player), perSecond: BigInt(w.per_second), untilMS: w.opened_ms + 60_000 };
const m = { t: 'escrow', state: 'locked', taken: w.signature, opened_ms: w.opened_ms };

test('a container signs for one session, player and price', async () => {
  assert.deepEqual(await taken(of, m), { sig: w.signature, openedMS: w.opened_ms });
  for (const bad of [{ chain: 'else' }, { container: unhex(v.container) }, { session: '03'.repeat(16) }, { key: unhex(w.container) }, { perSecond: of.perSecond + 1n }, { container: new Uint8Array(31) }]) {
    assert.equal(await taken({ ...of, ...bad }, m), null, Object.keys(bad)[0]);
  }
  for (const bad of [{ taken: '' }, { taken: undefined }, { taken: w.signature.slice(2) }, { taken: 'zz' + w.signature.slice(2) }, { taken: '00' + w.signature.slice(2) }, { opened_ms: w.opened_ms + 1 }, { opened_ms: '1' }, { opened_ms: 0 }]) {
    assert.equal(await taken(of, { ...m, ...bad }), null, JSON.stringify(bad).slice(0, 40));
  }
});

test('the moment is one at which the order can have come into a block', async () => {
  for (const [untilMS, ok] of [[0, true], [w.opened_ms - 60_000, true], [w.opened_ms - 60_001, false], [w.opened_ms + 180_000, true], [w.opened_ms + 180_001, false]]) {
    assert.equal(await taken({ ...of, untilMS }, m) !== null, ok, String(untilMS));
  }
});
