// bindings.js: the window in which controllers get their buttons bound. What is bound
// stays in this browser, per kind of controller.

import { el, dialog } from './dom.js';
import { buttonNames, bindingOf, bind, connected } from './gamepad.js';

/** openPads shows the connected controllers and lets buttons be bound anew. */
export function openPads(dialogs) {
  const body = el('div.pads', {});
  const d = dialog(dialogs, 'Controllers', body);
  let shown = null, listening = null;

  const draw = pads => {
    shown = pads.map(p => p.id).join('\n');
    listening = null;
    if (!pads.length) return body.replaceChildren(el('p', {}, 'No controller yet. Plug one in or switch it on, then press any of its buttons.'));
    body.replaceChildren(...pads.map((p, i) => {
      const binding = bindingOf(p.id);
      const keys = buttonNames.map((n, b) => {
        const state = el('span.bound', {}, 'button ' + (binding[b] ?? b));
        const key = el('button.bind', { 'data-button': String(b), onclick: () => listen({ pad: p.index, id: p.id, button: b, state }) }, el('span', {}, n), state);
        return key;
      });
      return el('section', {}, el('h3', {}, `Player ${i + 1}`), el('p.tip', {}, p.id), el('div.binds', {}, keys), el('button', { onclick: () => { bind(p.id, 0, null); draw(connected()); } }, 'Put everything back'));
    }));
  };

  const listen = what => {
    if (listening) listening.state.textContent = 'button ' + (bindingOf(listening.id)[listening.button] ?? listening.button);
    const p = connected().find(x => x.index === what.pad);
    listening = { ...what, was: p ? p.buttons.map(b => b.pressed) : [] };
    what.state.textContent = 'press it now…';
  };

  const frame = () => {
    if (!d.isConnected) return;
    requestAnimationFrame(frame);
    const pads = connected();
    if (pads.map(p => p.id).join('\n') !== shown) draw(pads);
    for (const p of pads) {
      p.buttons.forEach((b, i) => {
        if (listening?.pad === p.index && b.pressed && !listening.was[i]) {
          bind(p.id, listening.button, i);
          draw(connected());
        }
      });
      if (listening?.pad === p.index) listening.was = p.buttons.map(b => b.pressed);
    }
    const first = pads[0], binding = first && bindingOf(first.id);
    body.querySelector('section')?.querySelectorAll('.bind').forEach((k, i) => k.classList.toggle('down', Boolean(first?.buttons[binding[i] ?? i]?.pressed)));
  };
  d.showModal();
  frame();
}
