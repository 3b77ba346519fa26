// chat.js: words between the people of one session. They go through the container's
// control channel and nowhere else.

import { el, toast } from './dom.js';

const MAX = 500, KEPT = 200;

export class Chat {
  constructor(root, say) {
    this.say = say;
    this.list = el('ol', { 'aria-live': 'polite', 'aria-label': 'Messages' });
    this.field = el('input', { type: 'text', maxlength: String(MAX), placeholder: 'Write to the others…', 'aria-label': 'Message', autocomplete: 'off', enterkeyhint: 'send' });
    this.box = el('section.chat', { hidden: true, 'aria-label': 'Chat' }, el('h2', {}, 'Chat'), this.list,
      el('form', { onsubmit: e => this.#send(e) }, this.field, el('button.primary', { type: 'submit' }, 'Send')));
    this.field.addEventListener('keydown', e => {
      if (e.key === 'Escape') this.toggle(false);
      e.stopPropagation(); // letters written here are not moves
    });
    root.append(this.box);
  }

  toggle(on = this.box.hidden) {
    this.box.hidden = !on;
    if (on) this.field.focus();
    else this.onclose?.();
    return on;
  }

  /** heard shows a message; when the chat is closed it passes by as a toast. */
  heard(m) {
    const from = String(m.from ?? 'somebody').slice(0, 40), text = String(m.text ?? '').slice(0, MAX);
    if (!text) return;
    this.list.append(el('li', {}, el('b', {}, from), ' ', text));
    while (this.list.children.length > KEPT) this.list.firstChild.remove();
    this.list.scrollTop = this.list.scrollHeight;
    if (this.box.hidden) toast(`${from}: ${text}`, { kind: 'chat' });
  }

  clear() {
    this.list.replaceChildren();
    this.box.hidden = true;
  }

  #send(e) {
    e.preventDefault();
    const text = this.field.value.trim().slice(0, MAX);
    if (!text) return;
    this.say({ t: 'chat', text });
    this.field.value = '';
  }
}
