// hid.js: KeyboardEvent.code → USB HID usage id (page 0x07). Codes name the place of a
// key, not its letter, so WASD stays under the same fingers on every layout.

const table = new Map();
const run = (from, codes) => codes.forEach((c, i) => table.set(c, from + i));

run(0x04, [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'].map(c => 'Key' + c));
run(0x1e, ['1', '2', '3', '4', '5', '6', '7', '8', '9', '0'].map(c => 'Digit' + c));
run(0x28, ['Enter', 'Escape', 'Backspace', 'Tab', 'Space', 'Minus', 'Equal', 'BracketLeft', 'BracketRight', 'Backslash', 'IntlHash',
  'Semicolon', 'Quote', 'Backquote', 'Comma', 'Period', 'Slash', 'CapsLock']);
run(0x3a, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12].map(n => 'F' + n));
run(0x46, ['PrintScreen', 'ScrollLock', 'Pause', 'Insert', 'Home', 'PageUp', 'Delete', 'End', 'PageDown',
  'ArrowRight', 'ArrowLeft', 'ArrowDown', 'ArrowUp', 'NumLock', 'NumpadDivide', 'NumpadMultiply', 'NumpadSubtract', 'NumpadAdd', 'NumpadEnter']);
run(0x59, [1, 2, 3, 4, 5, 6, 7, 8, 9, 0].map(n => 'Numpad' + n));
run(0x63, ['NumpadDecimal', 'IntlBackslash', 'ContextMenu', 'Power', 'NumpadEqual']);
run(0x68, [13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24].map(n => 'F' + n));
run(0x85, ['NumpadComma', '', 'IntlRo', 'KanaMode', 'IntlYen', 'Convert', 'NonConvert'].map((c, i) => c || 'unused' + i));
run(0xe0, ['ControlLeft', 'ShiftLeft', 'AltLeft', 'MetaLeft', 'ControlRight', 'ShiftRight', 'AltRight', 'MetaRight']);

/** usage returns the HID usage of a KeyboardEvent.code, or 0 when it has none. */
export const usage = code => table.get(code) ?? 0;
