// catalogue.js: what can be played, as pictures. One click starts a game.

import { el, icon } from './dom.js';
import { dollars } from './words.js';

const hue = id => parseInt((id || '0').slice(0, 6), 16) % 360 || 210;

/** price is an hour's price for people, or the range of it. */
export const price = (least, most = least) => {
  if (most <= 0) return 'free';
  if (least <= 0) return `free – ${dollars(most)} / h`;
  return most > least ? `${dollars(least)} – ${dollars(most).slice(1)} / h` : `${dollars(least)} / h`;
};

/** places says how many could start now. */
export const places = a => (a.slots_free > 0 ? `${a.slots_free} ${a.slots_free === 1 ? 'place' : 'places'} free` : 'busy: you would wait in line');

/** ordered puts games first and test cards last, and keeps the mesh's order otherwise. */
export const ordered = apps => [...apps].sort((a, b) => /^latency/.test(a.name) - /^latency/.test(b.name));

function tile(app, first, { play, prepare, cost }) {
  const img = el('img', { src: `/api/apps/${encodeURIComponent(app.id)}/picture`, alt: '', loading: first ? 'eager' : 'lazy', decoding: 'async', draggable: 'false' });
  const shot = el('div.shot', {}, img, el('span.go', {}, icon('play'), el('span', {}, 'Play')));
  img.addEventListener('error', () => {
    img.remove();
    shot.classList.add('plain');
    shot.style.setProperty('--hue', hue(app.id));
    shot.prepend(el('span.initial', { 'aria-hidden': 'true' }, (app.title || app.name || '?').slice(0, 1).toUpperCase()));
  });
  const seats = app.seats > 1 ? el('li', {}, icon('people'), `1–${app.seats} players`) : el('li', {}, icon('person'), '1 player');
  const start = () => prepare(app);
  return el('li.tile' + (first ? '.first' : ''), {},
    el('button.cover', { 'data-app': app.name, 'aria-label': `Play ${app.title || app.name}. ${app.description || ''} ${places(app)}.`, onclick: () => play(app), onpointerenter: start, onfocus: start, onpointerdown: start },
      shot,
      el('span.about', {}, el('span.title', {}, app.title || app.name), el('span.description', {}, app.description || ''),
        el('ul.facts', {}, seats, el('li', {}, icon('screen'), `${app.width}×${app.height} · ${app.fps} fps`),
          el('li.places' + (app.slots_free > 0 ? '' : '.busy'), {}, places(app)), cost(app)))));
}

/** Catalogue shows the list of apps in root. */
export class Catalogue {
  /** cost(app) is the entry that says what play costs, or null. */
  constructor(root, { play, prepare, retry, cost }) {
    Object.assign(this, { root, play, prepare, retry, cost });
    this.shape = '';
  }

  loading() {
    this.root.replaceChildren(el('ul.tiles', { 'aria-hidden': 'true' }, [1, 2, 3].map(i => el('li.tile.ghost' + (i === 1 ? '.first' : ''), {}, el('div.cover', {}, el('div.shot', {}))))));
  }

  show(apps) {
    const shape = JSON.stringify(apps) + apps.map(a => this.cost(a)?.textContent ?? '').join();
    if (shape === this.shape) return; // nothing changed: keep focus and hover
    if (this.root.querySelector('button:active')) return; // a click under way would be lost; the next look draws it
    this.shape = shape;
    if (!apps.length) {
      return this.say('No games yet', 'No machine in this mesh offers a game right now.', 'Start one on this machine with “framemesh demo”, or wait for others to join. This page looks again by itself.');
    }
    const focused = document.activeElement?.dataset?.app;
    this.root.replaceChildren(el('ul.tiles', {}, ordered(apps).map((a, i) => tile(a, i === 0, this))));
    if (focused) this.root.querySelector(`[data-app="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  }

  /** focus goes back to the tile that a game was started from, if there is one. */
  focus(name) {
    this.root.querySelector(`[data-app="${CSS.escape(name ?? '')}"]`)?.focus({ preventScroll: true });
  }

  /** say fills the room with words instead of games. */
  say(title, text, tip) {
    this.shape = '';
    this.root.replaceChildren(el('div.empty', { role: 'status' }, el('h2', {}, title), el('p', {}, text), el('p.tip', {}, tip), el('button.primary', { onclick: this.retry }, 'Look again')));
  }
}
