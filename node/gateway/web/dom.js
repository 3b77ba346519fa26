// dom.js: build elements. Text is always text: what strangers wrote (titles, chat,
// reasons) can never become markup.

/** el('button.primary', {onclick, 'aria-label': …}, ...children) */
export function el(spec, props = {}, ...children) {
  const [tag, ...classes] = spec.split('.');
  const e = document.createElement(tag || 'div');
  if (classes.length) e.className = classes.join(' ');
  for (const [k, v] of Object.entries(props)) {
    if (v === undefined || v === null || v === false) continue;
    if (k.startsWith('on')) e.addEventListener(k.slice(2), v);
    else if (k === 'hidden' || k === 'disabled' || k === 'value' || k === 'checked') e[k] = v;
    else e.setAttribute(k, v === true ? '' : v);
  }
  e.append(...children.flat().filter(c => c !== null && c !== undefined && c !== false));
  return e;
}

/** icon shows one symbol of the page's sheet. */
export function icon(name) {
  const ns = 'http://www.w3.org/2000/svg', s = document.createElementNS(ns, 'svg'), u = document.createElementNS(ns, 'use');
  s.setAttribute('class', 'icon');
  s.setAttribute('aria-hidden', 'true');
  u.setAttribute('href', '#i-' + name);
  s.append(u);
  return s;
}

/** toast says one thing for a few seconds, politely to screen readers too. */
export function toast(text, { kind = 'info', ms = 4500 } = {}) {
  const box = document.getElementById('toasts');
  if (!box || !text) return;
  while (box.children.length > 3) box.firstChild.remove();
  const t = el('div.toast.' + kind, {}, text);
  box.append(t);
  setTimeout(() => {
    t.classList.add('leaving');
    setTimeout(() => t.remove(), 300);
  }, ms);
}

/** remembered reads and writes one JSON value of a Storage; a full or blocked one is no failure. */
export const remembered = (store, key) => ({
  get(or) {
    try {
      return JSON.parse(store().getItem(key)) ?? or;
    } catch {
      return or;
    }
  },
  set(v) {
    try {
      store().setItem(key, JSON.stringify(v));
    } catch { /* private windows may refuse */ }
  },
  clear() {
    try {
      store().removeItem(key);
    } catch { /* as above */ }
  },
});

/** dialog makes a modal window that gives the focus back to the game. */
export function dialog({ root, closed, release }, title, ...content) {
  release?.();
  const d = el('dialog', { 'aria-label': title }, el('form', { method: 'dialog' }, el('h2', {}, title), el('button.tool', { 'aria-label': 'Close', value: 'close' }, icon('close'))), ...content);
  d.addEventListener('close', () => {
    d.remove();
    closed?.();
  });
  d.addEventListener('click', e => { if (e.target === d) d.close(); });
  root.append(d);
  return d;
}
