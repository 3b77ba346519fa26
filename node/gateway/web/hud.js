// hud.js: the bar over the picture and the windows it opens. It fades while nobody
// moves the mouse, and never takes a key that belongs to the game.

import { el, icon, toast, dialog, remembered } from './dom.js';
import { linkTo } from './links.js';
import { openPads } from './bindings.js';

const sound = remembered(() => localStorage, 'framemesh.sound');
const IDLE_MS = 2500;

export class Hud {
  constructor(stage) {
    this.stage = stage;
    this.silenced = false;
    const tool = (name, label, run, attrs = {}) => el('button.tool', { 'aria-label': label, title: label, onclick: e => { run(e); this.#back(e); }, ...attrs }, icon(name));
    this.title = el('h1', {});
    this.role = el('span.role', {});
    this.volume = el('input', { type: 'range', min: '0', max: '100', 'aria-label': 'Volume', title: 'Volume', oninput: () => this.#volume(this.volume.value / 100, false), onchange: e => this.#back(e) });
    this.mute = tool('volume', 'Mute', () => this.#volume(this.audio.volume || 0.8, !this.audio.muted));
    this.pause = tool('pause', 'Pause', () => stage.setPaused(!this.isPaused));
    this.invite = tool('invite', 'Invite somebody', () => this.#links());
    this.padTool = tool('pad', 'Controllers', () => openPads(this.#dialogs()));
    this.touchTool = tool('touch', 'Touch controls', () => stage.touch?.show(!stage.touch.shown));
    this.full = tool('full', 'Fullscreen', () => this.#fullscreen());
    this.bar = el('header.hud', { hidden: true },
      tool('stop', 'Stop and go back', () => stage.stop(), { 'data-tool': 'stop' }), this.title, this.role, el('span.gap'), stage.till.line,
      this.mute, this.volume, this.pause, this.invite,
      tool('chat', 'Chat', () => stage.chat.toggle(), { 'data-tool': 'chat' }), tool('stats', 'Statistics (F9)', () => stage.stats.toggle(), { 'data-tool': 'stats' }),
      this.padTool, this.touchTool,
      tool('help', 'Controls', () => this.#help(), { 'data-tool': 'help' }), this.full);
    this.loud = el('button.unmute.primary', { hidden: true, onclick: e => { stage.unmute(); this.#back(e); } }, icon('muted'), 'Turn the sound on');
    this.bar.addEventListener('keydown', e => { // the way back for who came with Tab
      if (e.code === 'Escape') stage.root.focus({ preventScroll: true });
    });
    stage.root.append(this.bar, this.loud);
    const kept = sound.get({ volume: 0.8, muted: false });
    this.#volume(kept.volume, kept.muted);
    for (const t of ['pointermove', 'pointerdown', 'focusin']) stage.root.addEventListener(t, () => this.wake());
    document.addEventListener('fullscreenchange', () => { // only what is inside the fullscreen element is seen
      const toasts = document.getElementById('toasts');
      if (toasts) (document.fullscreenElement ?? document.body).append(toasts);
    });
  }

  get audio() {
    return this.stage.audio;
  }

  show(app, role, links) {
    this.app = app;
    this.links = links;
    this.title.textContent = app.title || app.name;
    this.role.textContent = role === 'watch' ? 'watching' : role === 'play' ? 'second player' : '';
    this.invite.hidden = !(links.play || links.watch);
    this.pause.hidden = role !== 'owner';
    this.padTool.hidden = role === 'watch';
    this.touchTool.hidden = role === 'watch' || !navigator.maxTouchPoints;
    this.full.hidden = !document.fullscreenEnabled;
    this.bar.hidden = false;
    this.paused(false);
    this.wake();
  }

  hide() {
    this.bar.hidden = true;
    this.silence(false);
    clearTimeout(this.timer);
    this.stage.root.classList.remove('idle');
    this.stage.root.querySelectorAll('dialog').forEach(d => d.remove());
  }

  /** wake shows the bar and lets it fade again. */
  wake() {
    const { root } = this.stage;
    root.classList.remove('idle');
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      if (!this.bar.hidden && !this.bar.matches(':focus-within, :hover') && !this.stage.veil.shown) root.classList.add('idle');
    }, IDLE_MS);
  }

  /** silence says that the browser holds the sound back. */
  silence(on) {
    this.silenced = on;
    this.loud.hidden = !on;
  }

  paused(on) {
    this.isPaused = on;
    this.pause.replaceChildren(icon(on ? 'play' : 'pause'));
    this.pause.setAttribute('aria-label', on ? 'Go on' : 'Pause');
    this.pause.title = on ? 'Go on' : 'Pause';
    this.stage.root.classList.toggle('held', on);
  }

  #volume(v, muted) {
    this.audio.volume = Math.max(0, Math.min(1, Number(v) || 0));
    this.audio.muted = muted;
    this.volume.value = String(Math.round(this.audio.volume * 100));
    this.mute.replaceChildren(icon(muted || this.audio.volume === 0 ? 'muted' : 'volume'));
    this.mute.setAttribute('aria-label', muted ? 'Unmute' : 'Mute');
    this.mute.title = muted ? 'Unmute' : 'Mute';
    sound.set({ volume: this.audio.volume, muted });
  }

  // After a click with the mouse the keys go to the game again; who came by keyboard stays.
  #back(e) {
    if (e.detail > 0 || e.type === 'change') {
      if (!this.stage.root.querySelector('dialog[open], .chat:not([hidden]) input:focus')) this.stage.root.focus({ preventScroll: true });
    }
  }

  async #fullscreen() {
    try {
      if (document.fullscreenElement) await document.exitFullscreen();
      else await this.stage.root.requestFullscreen({ navigationUI: 'hide' });
    } catch {
      toast('This browser does not allow fullscreen here.', { kind: 'warn' });
    }
  }

  #dialogs() {
    return { root: this.stage.root, closed: () => this.stage.root.focus({ preventScroll: true }), release: () => this.stage.input?.release() };
  }

  #links() {
    const row = (kind, label, why, token) => {
      if (!token) return null;
      const field = el('input', { type: 'text', readonly: true, value: linkTo(location.origin + location.pathname, kind, this.links.session, token), 'aria-label': label, onfocus: e => e.target.select() });
      const copy = async () => {
        field.select();
        try {
          await navigator.clipboard.writeText(field.value);
          toast('Link copied.');
        } catch {
          toast('Press Ctrl+C to copy the link.');
        }
      };
      return el('div.link', {}, el('h3', {}, label), el('p', {}, why), el('div.row', {}, field, el('button', { onclick: copy }, 'Copy')));
    };
    const d = dialog(this.#dialogs(), 'Invite somebody',
      row('join', 'Play along', 'Whoever opens this link takes the next free seat.', this.links.play),
      row('watch', 'Watch', 'Whoever opens this link sees and hears the game.', this.links.watch),
      el('p.tip', {}, 'Treat the links like a key: everybody who has one can use it until the game ends.'));
    d.showModal();
  }

  #help() {
    const list = this.app?.controls?.length ? this.app.controls : ['Arrow keys or a controller move.'];
    const d = dialog(this.#dialogs(), 'Controls', el('ul', {}, list.map(c => el('li', {}, c))),
      el('h3', {}, 'Everywhere'),
      el('dl.keys', {}, [['F9', 'Statistics'], ['F11', 'Fullscreen of the browser'], ['Esc', 'Leaves fullscreen, frees the mouse; otherwise the game’s'], ['Tab', 'Reaches the bar above the picture; Esc goes back to the game']]
        .map(([k, t]) => [el('dt', {}, el('kbd', {}, k)), el('dd', {}, t)])),
      el('p.tip', {}, 'Controllers work when plugged in; their buttons can be changed under Controllers.'));
    d.showModal();
  }
}
