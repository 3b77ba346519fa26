// stage.js: a game on screen, from the click to the stop. It joins a connection with
// the picture, the sound, the inputs and the words for everything that goes wrong.

import { toast, remembered } from './dom.js';
import { Session, Peer, browserProblem, mark } from './session.js';
import { VerifyError } from './verify.js';
import { Refused, Unreachable, getJSON } from './whep.js';
import { Sender } from './packet.js';
import { Input } from './input.js';
import { Pads } from './gamepad.js';
import { TouchControls } from './touch.js';
import { StatsOverlay } from './stats.js';
import { Chat } from './chat.js';
import { Veil } from './veil.js';
import { Hud } from './hud.js';
import { Till, TermsError } from './till.js';
import { left } from './escrows.js';
import { words, missed, problemWords, byeWords } from './words.js';

/** playing is what a reload needs to go on with the same session. */
export const playing = remembered(() => sessionStorage, 'framemesh.playing');

/** signedFor is the number of the last second that this tab signed for. */
const signedFor = remembered(() => sessionStorage, 'framemesh.witness');

const NEXT_S = 5; // seconds before the next machine is taken by itself

export class Stage {
  /** env: {root, network(), ice(), key(), keyKnown() (a promise while the key is looked for), sign, purse, period, apps(), home(name of the game that was left), refund()} */
  constructor(env) {
    Object.assign(this, { env, run: 0, session: null, input: null, excluded: [], spare: null });
    const root = this.root = env.root;
    this.video = root.querySelector('video');
    this.audio = root.querySelector('audio');
    this.veil = new Veil(root.querySelector('.veil'));
    this.till = new Till(env);
    this.hud = new Hud(this);
    this.stats = new StatsOverlay(root);
    this.stats.payer = () => this.till.payer;
    this.chat = new Chat(root, m => this.session?.say(m));
    this.chat.onclose = () => root.focus({ preventScroll: true });
    window.addEventListener('keydown', e => {
      if (e.code !== 'F9' || root.hidden) return;
      e.preventDefault();
      this.stats.toggle();
    });
    // A page that goes takes its connection with it, so that the machine knows at once;
    // the session waits there for a reload.
    window.addEventListener('pagehide', () => this.session?.close());
    const frame = now => {
      requestAnimationFrame(frame);
      env.period.frame(now);
      this.pads?.poll();
    };
    requestAnimationFrame(frame);
  }

  /** prepare makes the next connection's offer before it is asked for. */
  prepare() {
    if (this.spare || browserProblem()) return;
    this.spare = new Peer(this.env.ice());
    this.spareTimer = setTimeout(() => {
      this.spare?.close();
      this.spare = null;
    }, 20000);
  }

  #peer() {
    clearTimeout(this.spareTimer);
    const p = this.spare ?? new Peer(this.env.ice());
    this.spare = null;
    return p;
  }

  /** launch starts a new session of an app. */
  launch(app, how = {}) {
    const { ticket = '', fresh = true } = how, known = this.env.keyKnown(), run = this.run;
    if (known) return known.then(() => run === this.run && this.launch(app, how)); // some ms, right after the page has loaded
    if (fresh) this.excluded = [];
    playing.clear();
    history.replaceState(null, '', location.pathname + location.search + '#play=' + app.name);
    const { purse } = this.env;
    return this.#begin({ app, query: { ticket, exclude: this.excluded.slice(-16), price: purse.ledger ? String(purse.ceiling) : '' }, refusal: purse.refusal(app) });
  }

  /** resume goes on with the session that this tab played. */
  resume(saved) {
    const known = this.env.keyKnown(), run = this.run;
    if (known) return known.then(() => run === this.run && this.resume(saved)); // nobody else can go on paying for it
    return this.#begin({ app: saved.app, query: { session: saved.session, token: saved.token }, expect: saved.container, saved, verb: 'Going back to' });
  }

  /** join enters somebody else's session by a link. */
  join(kind, session, token) {
    return this.#begin({ app: { name: kind, title: 'the game' }, query: { session, token }, verb: kind === 'watch' ? 'Watching' : 'Joining' });
  }

  async #begin(how) {
    mark('click');
    const run = ++this.run, { app } = how;
    this.#drop();
    this.how = how;
    this.root.hidden = false;
    document.body.classList.add('playing');
    document.title = (app.title || app.name) + ' · framemesh';
    const lacking = browserProblem();
    if (lacking) return this.veil.failed(words[lacking], [this.#home(true)]);
    if (how.refusal) return this.veil.failed(how.refusal, [this.#home(true)]);
    this.veil.launching(app.title || app.name, () => this.stop(), how.verb);
    const s = this.session = new Session({ app, query: how.query, player: this.env.key(), network: this.env.network(), peer: this.#peer(), expect: how.expect, period: this.env.period });
    const on = (type, f) => s.addEventListener(type, e => { if (run === this.run) f(e.detail); });
    on('stage', d => this.veil.stage(d.name, d.timing));
    on('video', d => this.#picture(s, d.track));
    on('audio', d => this.#sound(d.track));
    on('first', () => this.#first());
    on('input', d => d.open && this.input?.open());
    on('control', d => this.#heard(s, d.message));
    on('silent', d => this.#silent(s, d.kind));
    try {
      await s.connect();
      if (run === this.run) this.#connected(s, how);
    } catch (e) {
      if (run === this.run && !(s.closed && e.name === 'AbortError')) this.#refused(e, how);
    }
  }

  #connected(s, { app, saved }) {
    const links = { play: s.tokens.play || saved?.links?.play || '', watch: s.tokens.watch || saved?.links?.watch || '' };
    if (s.role === 'owner') playing.set({ app, session: s.session, token: s.tokens.owner || saved?.token, container: s.container, links });
    this.links = { session: s.session, ...links };
    this.stats.follow(s);
    if (s.role === 'owner') this.#pay(s, app);
    this.hud.show(app, s.role, this.links);
    if (s.role === 'watch') return;
    const sender = new Sender({ send: (bytes, seq) => s.sendInput(bytes, seq) });
    this.input = new Input({ stage: this.root, video: this.video, sender, app });
    this.touch = new TouchControls(this.input, this.root);
    this.input.onrelease = () => this.touch?.reset();
    this.input.ontouched = () => this.#wake();
    this.input.start();
    if (s.peer.input.readyState === 'open') this.input.open();
    this.pads = new Pads(this.input, {
      seats: s.role === 'owner' ? app.seats : 1,
      onchange: p => toast(p.connected ? `Controller ready for player ${p.seat + 1}: ${name(p.id)}` : `Controller gone: ${name(p.id)}`),
    });
    this.touch.show(matchMedia('(pointer: coarse)').matches && !app.pointer_lock);
  }

  // Paying goes on beside the picture and never before it: the machine gives some seconds
  // of credit for that.
  async #pay(s, app) {
    const run = this.run;
    try {
      await this.till.open(s);
    } catch (e) {
      if (run !== this.run) return;
      this.#drop();
      this.run++;
      s.end();
      playing.clear();
      const text = e instanceof TermsError ? e.message : 'What the machine asks for could not be checked.';
      this.veil.failed({ ...words.badTerms, text }, [...(app.id ? [this.#next(s.container)] : []), this.#home(!app.id)]);
    }
  }

  #picture(s, track) {
    this.video.srcObject = new MediaStream([track]);
    s.follow(this.video);
    this.video.play().catch(() => {}); // muted, so only a page in the background says no, and that plays later
  }

  // What the player sent and saw is signed beside the game: the module for it is fetched
  // once there is a picture, and plays no part before.
  async #attest(s) {
    const player = s.player, subtle = globalThis.crypto?.subtle;
    if (!s.welcome?.proven || s.role === 'watch' || !s.frames || s.attested || !player || !subtle || !s.containerBytes) return;
    s.attested = true;
    try {
      const [{ Witness }, { peerKey }] = await Promise.all([import('./witness.js'), import('./ledgertx.js')]), container = peerKey(s.containerBytes);
      if (s.closed || !container) return;
      const w = new Witness({ chain: s.network, container, session: s.session, player }, { sign: this.env.sign, say: m => s.say(m), last: signedFor });
      this.stats.onsecond = s.attest(w);
    } catch { /* the game goes on, unsigned */ }
  }

  #sound(track) {
    this.audio.srcObject = new MediaStream([track]); // on its own: sound must never hold the picture back
    this.#wake();
  }

  // Browsers keep sound back until the person has touched the page.
  async #wake() {
    const { audio } = this;
    if (!audio.srcObject || (!audio.paused && !this.hud.silenced)) return;
    await audio.play().then(() => this.hud.silence(false), e => {
      if (e.name === 'NotAllowedError' && audio.srcObject) this.hud.silence(true);
    });
  }

  #first() {
    this.veil.hide();
    this.#attest(this.session);
    this.root.focus({ preventScroll: true });
    this.hud.wake();
    navigator.wakeLock?.request('screen').then(l => { this.lock = l; }, () => {});
    const app = this.how.app;
    if (app.pointer_lock && this.input) toast('Click the picture to use the mouse. Esc gives it back.');
  }

  #heard(s, m) {
    switch (m.t) {
      case 'welcome':
        s.welcome = m;
        this.#attest(s);
        if (!this.how.app.id) { // came by a link: now the game has a name
          const known = this.env.apps().find(a => a.title === m.app || a.name === m.app);
          Object.assign(this.how.app, known ?? { title: m.app, width: m.width, height: m.height });
          document.title = this.how.app.title + ' · framemesh';
          this.hud.show(this.how.app, s.role, this.links ?? {});
        }
        break;
      case 'stats':
        this.stats.heard(m);
        break;
      case 'segment':
        s.segment = m;
        s.witness?.told(m);
        break;
      case 'escrow':
      case 'pay':
        this.till.heard(m);
        break;
      case 'notice':
        if (m.code === 'paused' || m.code === 'resumed') this.hud.paused(m.code === 'paused');
        if (m.code === 'unpaid' || m.code === 'resumed') this.root.classList.toggle('unpaid', m.code === 'unpaid');
        toast(m.text, { kind: ['slow-network', 'worker-restarted', 'unpaid'].includes(m.code) ? 'warn' : 'info' });
        break;
      case 'chat':
        this.chat.heard(m);
        break;
      case 'bye':
        this.#bye(s, m);
        break;
    }
  }

  #bye(s, m) {
    const w = byeWords(m), { app, saved } = this.how, back = playing.get(null), bill = this.till.bill();
    if (bill) w.text = `${w.text} ${bill}`;
    this.#drop();
    this.run++;
    if (m.code !== 'evicted') playing.clear();
    const own = s.role === 'owner' && app.id, buttons = [];
    if (m.code === 'evicted' && back) buttons.push({ text: 'Play here instead', primary: true, run: () => this.resume({ ...saved, ...back }) });
    else if (own && w.next) buttons.push(this.#next(s.container));
    else if (own) buttons.push({ text: 'Play again', primary: true, run: () => this.launch(app) });
    this.veil.failed(w, [...buttons, this.#home(!buttons.length)]);
  }

  // No media and no sign of life. The gateway asks the container: a session that still
  // lives is gone back to, anything else means the next machine.
  async #silent(s, kind) {
    const run = ++this.run, { how } = this, { app } = how, w = kind === 'picture' ? words.silentPicture : kind === 'connect' ? words.noConnection : words.gone;
    const token = s.tokens?.owner || this.how.query.token, had = this.lastBack ?? -Infinity, { payer } = this.till, held = this.till.held();
    this.#drop();
    this.veil.wait(w.title, 'Asking the mesh whether it is still there…');
    let alive = false;
    try {
      const st = await getJSON(`/api/sessions/${s.session}?token=${token}`, { signal: AbortSignal.timeout(1500) });
      alive = st.phase !== 'ending';
    } catch { /* no answer is an answer */ }
    if (run !== this.run) return;
    if (alive && kind === 'gone' && performance.now() - had > 10000) {
      this.lastBack = performance.now();
      toast('The connection was lost. Going back to your game…', { kind: 'warn' });
      const saved = playing.get(null);
      return saved?.session === s.session ? this.resume(saved) : this.#begin({ ...this.how, query: { session: s.session, token } });
    }
    if (kind === 'gone' && !alive) this.#missed(payer, s.session);
    const own = s.role === 'owner' && app.id, text = held ? `${w.text} ${held}` : w.text;
    this.veil.failed({ ...w, text, tip: own ? w.tip : '' }, own ? [this.#next(s.container), this.#home()] : alive ? [this.#again(how), this.#home()] : [this.#home(true)]);
  }

  // A machine that goes in the middle of a paid game pays for it, if checkers find it gone, too;
  // and its player has what it set aside back without it.
  async #missed(payer, id) {
    const known = left(id);
    await this.#complain(payer);
    if (known) this.env.refund();
  }

  async #complain(payer) {
    if (payer?.escrow.state !== 'locked' || !payer.signedFor || !payer.taken) return;
    try {
      const { complain } = await import('./gone.js'), { chain, container, session, key, signedFor: seconds, taken, terms: { perSecond } } = payer;
      if (await complain({ chain, container, session, key, seconds, perSecond, taken }, { sign: this.env.sign })) toast(missed, { ms: 8000 });
    } catch { /* nothing hangs on it */ }
  }

  #next(container) {
    const { app } = this.how;
    if (container && !this.excluded.includes(container)) this.excluded.push(container);
    return { text: 'Play on the next machine', primary: true, seconds: NEXT_S, run: () => this.launch(app, { fresh: false }) };
  }

  #home(primary = false) { return { text: 'Back to the games', primary, run: () => this.stop() }; }

  #again(how) { return { text: 'Try again', primary: true, run: () => this.#begin(how) }; }

  #refused(e, how) {
    const { app, saved } = how, again = this.#again(how);
    this.#drop();
    if (e instanceof VerifyError) return this.veil.failed({ ...words.tampered, text: e.message }, [this.#home(true)]);
    if (e instanceof Unreachable) return this.veil.failed(words.unreachable, [again, this.#home()]);
    if (!(e instanceof Refused)) return this.veil.failed({ title: 'That did not work', text: e.message || String(e), tip: 'Try again; reload the page if it happens twice.' }, [again, this.#home()]);
    if (e.problem.queue?.ticket && !how.query.session) return this.#queue(e.problem, app);
    const w = problemWords(e.status, e.problem);
    if (saved) { // a reload after the session's end
      playing.clear();
      return this.veil.failed(w, [{ text: 'Play again', primary: true, run: () => this.launch(app) }, this.#home()]);
    }
    this.veil.failed(w, w.again ? [{ ...again, run: () => this.launch(app) }, this.#home()] : [this.#home(true)]);
  }

  #queue(problem, app) {
    const run = this.run, q = problem.queue, es = this.waiting = new EventSource('/api/queue/' + q.ticket);
    const leave = () => this.stop();
    this.veil.queue(app.title, q.position, problem.detail, leave);
    const hear = f => e => {
      if (run !== this.run) return es.close();
      let d = {};
      try {
        d = JSON.parse(e.data);
      } catch { /* the place stays as it was */ }
      f(d);
    };
    es.addEventListener('position', hear(d => this.veil.queue(app.title, d.position, d.text, leave)));
    es.addEventListener('ready', hear(() => {
      es.close();
      this.launch(app, { ticket: q.ticket, fresh: false });
    }));
    const gone = () => {
      es.close();
      if (run === this.run) this.veil.failed(words.queueGone, [{ text: 'Start again', primary: true, run: () => this.launch(app) }, this.#home()]);
    };
    es.addEventListener('gone', hear(gone));
    es.onerror = () => { if (es.readyState === EventSource.CLOSED) gone(); };
  }

  /** setPaused asks the machine to hold the game. */
  setPaused(on) {
    this.session?.say({ t: on ? 'pause' : 'resume' });
  }

  /** unmute is the click that browsers want before sound. */
  unmute() {
    this.audio.muted = false;
    this.#wake();
  }

  /** stop ends the game for good and goes back to the catalogue. */
  stop() {
    this.run++;
    const bill = this.till.bill();
    if (bill) toast(bill, { ms: 8000 });
    this.session?.end();
    playing.clear();
    this.#drop();
    this.veil.hide();
    this.chat.clear();
    this.stats.toggle(false);
    this.root.hidden = true;
    document.body.classList.remove('playing');
    document.title = 'framemesh';
    history.replaceState(null, '', location.pathname + location.search);
    if (document.fullscreenElement) document.exitFullscreen().catch(() => {});
    this.env.home(this.how?.app?.name);
  }

  // drop lets the connection and everything on it go; the words stay.
  #drop() {
    this.waiting?.close();
    this.waiting = null;
    this.input?.end();
    this.touch?.show(false);
    this.touch?.pad.remove();
    this.input = this.touch = this.pads = null;
    this.stats.stop();
    this.till.close();
    this.root.classList.remove('unpaid');
    this.hud.hide();
    this.session?.close();
    this.video.srcObject = this.audio.srcObject = null;
    this.lock?.release().catch(() => {});
    this.lock = null;
  }
}

const name = id => (id || 'controller').replace(/\s*\(.*$/, '').slice(0, 40) || 'controller';
