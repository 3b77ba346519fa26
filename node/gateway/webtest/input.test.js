import test from 'node:test';
import assert from 'node:assert/strict';
import { usage } from '../web/hid.js';
import { encodeState, encodeSlack, blank, held, Sender, SEAT_BYTES } from '../web/packet.js';
import { pointerAt } from '../web/input.js';
import { stick, readPad } from '../web/gamepad.js';
import { stickAt } from '../web/touch.js';

test('key places have the HID usages of the USB tables', () => {
  const want = { KeyA: 0x04, KeyZ: 0x1d, Digit1: 0x1e, Digit0: 0x27, Enter: 0x28, Escape: 0x29, Space: 0x2c, Slash: 0x38, CapsLock: 0x39, F1: 0x3a, F12: 0x45,
    Insert: 0x49, PageDown: 0x4e, ArrowRight: 0x4f, ArrowLeft: 0x50, ArrowDown: 0x51, ArrowUp: 0x52, NumLock: 0x53, NumpadEnter: 0x58, Numpad1: 0x59, Numpad0: 0x62,
    NumpadDecimal: 0x63, IntlBackslash: 0x64, ContextMenu: 0x65, F13: 0x68, F24: 0x73, IntlRo: 0x87, IntlYen: 0x89, ControlLeft: 0xe0, ShiftLeft: 0xe1, MetaRight: 0xe7 };
  for (const [code, id] of Object.entries(want)) assert.equal(usage(code), id, code);
  assert.equal(usage('MediaPlayPause'), 0);
  assert.equal(usage(''), 0);
});

test('a seat state is 72 bytes, each field in its place', () => {
  const s = { ...blank(), flags: 7, buttons: 0x1f00f, axes: Int16Array.of(-32767, 1, 2, 32767), px: 65535, py: 258, dx: -2, dy: 3, wheel: -100, pointer: 5 };
  s.keys = Uint8Array.from({ length: 32 }, (_, i) => i);
  const b = Buffer.from(encodeState(2, 0xfffffffe, s));
  assert.equal(b.length, SEAT_BYTES);
  assert.deepEqual([...b.subarray(0, 12)], [1, 2, 7, 0, 0xfe, 0xff, 0xff, 0xff, 0x0f, 0xf0, 1, 0]);
  assert.deepEqual([0, 1, 2, 3].map(i => b.readInt16LE(12 + 2 * i)), [-32767, 1, 2, 32767]);
  assert.deepEqual([...b.subarray(20, 52)], [...s.keys]);
  assert.deepEqual([b.readUInt16LE(52), b.readUInt16LE(54), b.readInt32LE(56), b.readInt32LE(60), b.readInt32LE(64), b[68]], [65535, 258, -2, 3, -100, 5]);
  assert.deepEqual([...b.subarray(69)], [0, 0, 0]);
});

test('a slack report is 12 bytes', () => {
  const b = Buffer.from(encodeSlack(15, 1.5, 16.75));
  assert.deepEqual([b.length, b[0], b[1], b.readUInt16LE(2), b.readFloatLE(4), b.readFloatLE(8)], [12, 2, 0, 15, 1.5, 16.75]);
});

// A clock that stands still until told.
function world() {
  let now = 0, next = 1;
  const due = new Map(), sent = [];
  const w = {
    sent,
    options: {
      send: (b, seq) => sent.push({ at: now, seq, key: new Uint8Array(b)[20], dx: new DataView(b).getInt32(56, true) }),
      now: () => now,
      after: (f, ms) => { due.set(next, { f, at: now + ms }); return next++; },
      cancel: id => due.delete(id),
    },
    to(t) {
      for (;;) {
        const [id, d] = [...due].sort((a, b) => a[1].at - b[1].at)[0] ?? [];
        if (!d || d.at > t) break;
        due.delete(id);
        now = Math.max(now, d.at);
        d.f();
      }
      now = t;
    },
  };
  return w;
}

test('a change goes at once, twice again at 16 ms, then every 100 ms while held', () => {
  const w = world(), s = new Sender(w.options);
  s.seats[0].state.keys[0] = 1;
  s.changed(0);
  w.to(350);
  assert.deepEqual(w.sent.map(x => x.at), [0, 16, 32, 132, 232, 332]);
  assert.deepEqual(w.sent.map(x => x.seq), [1, 2, 3, 4, 5, 6]);
  s.seats[0].state.keys[0] = 0;
  s.changed(0);
  w.to(2000);
  assert.deepEqual(w.sent.slice(6).map(x => [x.at, x.key]), [[350, 0], [366, 0], [382, 0]]);
  assert.equal(held(s.seats[0].state), false);
});

test('motion is gathered to at most 250 messages a second and its end is never lost', () => {
  const w = world(), s = new Sender(w.options);
  for (let t = 0; t < 1000; t++) {
    w.to(t);
    s.seats[0].state.dx++;
    s.changed(0, false);
  }
  assert.ok(w.sent.length <= 251, `${w.sent.length} messages`);
  assert.ok(w.sent.length > 200, `${w.sent.length} messages`);
  w.to(1100);
  assert.equal(w.sent.at(-1).dx, 1000);
});

test('a press within the gap of a motion goes at once', () => {
  const w = world(), s = new Sender(w.options);
  s.changed(0, false);
  w.to(1);
  s.seats[0].state.keys[0] = 1;
  s.changed(0);
  s.seats[0].state.keys[0] = 0;
  s.changed(0);
  assert.deepEqual(w.sent.map(x => x.key), [0, 1, 0]);
});

test('stop forgets what is due', () => {
  const w = world(), s = new Sender(w.options);
  s.changed(0);
  s.stop();
  w.to(1000);
  assert.equal(w.sent.length, 1);
});

test('the pointer is a place in the picture, bars or not', () => {
  const box = { left: 0, top: 0, width: 1280, height: 800 }; // 16:9 inside: bars of 40 above and below
  assert.deepEqual(pointerAt(0, 40, box, 640, 360), { px: 0, py: 0, inside: true });
  assert.deepEqual(pointerAt(1280, 760, box, 640, 360), { px: 65535, py: 65535, inside: true });
  assert.deepEqual(pointerAt(640, 400, box, 640, 360), { px: 32768, py: 32768, inside: true });
  assert.deepEqual(pointerAt(640, 10, box, 640, 360), { px: 32768, py: 0, inside: false });
});

test('sticks rest in the dead zone, reach the full way and stay round', () => {
  assert.deepEqual(stick(0.1, 0.05), [0, 0]);
  assert.deepEqual(stick(1, 0), [32767, 0]);
  assert.deepEqual(stick(0, -1), [0, -32767]);
  const [x, y] = stick(1, 1);
  assert.ok(Math.abs(Math.hypot(x, y) - 32767) < 2);
  assert.deepEqual(stick(NaN, 0), [0, 0]);
});

test('a pad is read with its bindings; triggers count from the half way', () => {
  const pad = { mapping: 'standard', axes: [0, 0, 0, 1], buttons: Array.from({ length: 17 }, () => ({ pressed: false, value: 0 })) };
  pad.buttons[3].pressed = true;
  pad.buttons[6].value = 0.6;
  pad.buttons[7].value = 0.4;
  assert.deepEqual(readPad(pad), { buttons: 1 << 3 | 1 << 6, axes: [0, 0, 0, 32767] });
  assert.equal(readPad(pad, { 0: 3, 3: 0 }).buttons, 1 << 0 | 1 << 6);
  assert.equal(readPad({ mapping: '', axes: [0, 0, 0, 0, 0, 0, -1, 1], buttons: [] }).buttons, 1 << 14 | 1 << 13);
});

test('the touch stick gives axes and the cross', () => {
  assert.deepEqual(stickAt(3, 3, 60), { axes: [0, 0, 0, 0], buttons: 0, x: 3, y: 3 });
  const right = stickAt(200, 0, 60);
  assert.deepEqual([right.axes[0], right.axes[1], right.buttons, right.x], [32767, 0, 1 << 15, 60]);
  assert.equal(stickAt(-40, -40, 60).buttons, 1 << 14 | 1 << 12);
  assert.equal(stickAt(20, 0, 60).buttons, 0); // a little way steers, but does not press
});
