import test from 'node:test';
import assert from 'node:assert/strict';
import { note, left, forget, all } from '../web/escrows.js';

/** storage is what a browser keeps; null throws, as in some private windows. */
function storage(kept) {
  Object.defineProperty(globalThis, 'localStorage', { configurable: true, get() {
    if (!kept) throw new Error('blocked');
    return { getItem: k => kept.get(k) ?? null, setItem: (k, v) => kept.set(k, v), removeItem: k => kept.delete(k), key: i => [...kept.keys()][i], get length() { return kept.size; } };
  } });
}
const sessions = key => all(key).map(e => e.session);

test('what is set aside is remembered by session and key, until it is forgotten', () => {
  const kept = new Map([['framemesh.ceiling', '1'], ['framemesh.escrow.bad', '{']]);
  storage(kept);
  note('aa', { key: 'k', voucher: null });
  note('bb', { key: 'other' });
  note('aa', { voucher: { seq: 2 } });
  assert.deepEqual(sessions('k'), ['aa']);
  assert.deepEqual([all('k')[0].voucher, all('k')[0].key], [{ seq: 2 }, 'k']);
  assert.equal(left('cc'), false);
  assert.equal(left('aa'), true);
  assert.equal(JSON.parse(kept.get('framemesh.escrow.aa')).gone, true);
  forget('aa');
  forget('bb');
  assert.deepEqual([sessions(), kept.size], [[], 2]);
});

test('a browser that keeps nothing still knows what this page set aside', () => {
  storage(null);
  note('aa', { key: 'k' });
  assert.equal(left('aa'), true);
  assert.deepEqual(all('k').map(e => [e.session, e.gone]), [['aa', true]]);
  forget('aa');
  assert.deepEqual(sessions(), []);
});

test('the oldest give way', () => {
  storage(new Map());
  for (let i = 0; i < 80; i++) note('s' + i, { key: 'k' });
  assert.equal(sessions('k').length, 64);
  assert.ok(!sessions('k').includes('s0') && sessions('k').includes('s79'));
  for (const s of sessions()) forget(s);
});
