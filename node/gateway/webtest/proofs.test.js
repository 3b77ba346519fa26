// proofs.test.js: where an epoch is, and what it paid.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { phaseAt, reward } from '../web/proofs.js';

const board = { start_ms: 1000, end_ms: 11000, phases: [{ name: 'Containers render', to_ms: 3000 }, { name: 'Votes are revealed', to_ms: 9000 }] };

test('an epoch is told by its phase and what is left of it', () => {
  assert.deepEqual(phaseAt(board, 2000), { share: 0.1, name: 'Containers render', left: 1 });
  assert.deepEqual(phaseAt(board, 3000), { share: 0.2, name: 'Votes are revealed', left: 6 });
  assert.equal(phaseAt(board, 9500).name, 'The next epoch begins');
});

test('a clock that is off, or a board without an end, moves no bar out of its frame', () => {
  assert.equal(phaseAt(board, 0).share, 0);
  assert.equal(phaseAt(board, 1e15).share, 1);
  assert.equal(phaseAt({ start_ms: 5, end_ms: 5 }, 5).share, 0);
});

test('what is not paid yet is no reward of nothing', () => {
  assert.equal(reward('150000000', 'FRM'), '1.5 FRM');
  for (const none of ['0', '', undefined, '-1', 'x']) assert.equal(reward(none, 'FRM'), '–');
});
