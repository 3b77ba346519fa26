// app.js: the page's entry. It fetches what can be played, reads the address, and puts
// the catalogue and the stage together.

import { Catalogue } from './catalogue.js';
import { Stage, playing } from './stage.js';
import { browserProblem } from './session.js';
import { get, getJSON, Refused } from './whep.js';
import { Period } from './slack.js';
import { playerKey, sign } from './identity.js';
import { Purse } from './purse.js';
import { parseHash, iceServers } from './links.js';
import { warm } from './verify.js';
import { problemWords, words } from './words.js';
import { toast } from './dom.js';
import * as escrows from './escrows.js';

const opened = parseHash(location.hash); // as the page was opened: a click changes it
const state = { apps: [], ice: [], key: '', keyKnown: null, node: null }; // keyKnown is a promise until the key is
const period = new Period();

const purse = new Purse(document.getElementById('purse'), { key: () => state.key, keyKnown: () => state.keyKnown });
const stage = new Stage({
  root: document.getElementById('stage'), period,
  network: () => state.node?.network ?? '', ice: () => state.ice, key: () => state.key, keyKnown: () => state.keyKnown, sign, purse, apps: () => state.apps,
  home: app => {
    catalogue.root.inert = false;
    catalogue.focus(app);
    refresh();
  },
  refund: () => refund(),
});
const catalogue = new Catalogue(document.getElementById('catalogue'), {
  play: app => { catalogue.root.inert = true; stage.launch(app); },
  prepare: () => stage.prepare(),
  retry: () => refresh(),
  cost: app => purse.cost(app),
});

async function loadApps() {
  const r = await get('/api/apps');
  state.ice = iceServers(r.headers.get('Link'));
  state.apps = (await r.json()).apps;
}

async function loadNode() {
  state.node = await getJSON('/api/node');
  const n = state.node, line = document.getElementById('node');
  line.textContent = `network ${n.network} · ${n.region} · ${n.containers} ${n.containers === 1 ? 'machine' : 'machines'} · ${n.peers} peers`;
  line.title = `This gateway: ${n.peer_id}, version ${n.version}`;
}

/** showProofs adds the panel of proofs, once, where the gateway shows any. */
async function showProofs() {
  if (state.proofs || !purse.ledger?.proofs) return;
  state.proofs = true;
  try {
    const { Proofs } = await import('./proofs.js');
    new Proofs(document.getElementById('proofs'), { back: () => { if (!stage.root.hidden) stage.root.focus({ preventScroll: true }); } });
  } catch {
    state.proofs = false; // the next refresh tries again
  }
}

/** refund looks after money that was set aside for games that ended without their machines. */
async function refund() {
  if (!purse.ledger || !state.key || !escrows.all(state.key).length) return;
  state.refunds ??= import('./refund.js').then(m => new m.Refunds({
    ledger: () => purse.ledger, account: () => purse.load(), sent: nonce => purse.sent(nonce), sign, key: () => state.key, escrows,
    say: text => toast(text, { ms: 8000 }), changed: list => purse.coming(list),
  }));
  state.refunds.then(r => r.sweep(), () => { state.refunds = null; }); // a module that did not come is asked for again
}

async function refresh() {
  try {
    const had = purse.ledger, money = purse.refresh(); // it may take longer than the games
    if (!had) money.then(refund); // nothing can be asked for before
    await Promise.all([loadApps(), loadNode()]);
    catalogue.show(state.apps);
    money.then(() => { if (purse.ledger && state.apps.length) catalogue.show(state.apps); showProofs(); });
  } catch (e) {
    const w = e instanceof Refused ? problemWords(e.status, e.problem) : words.unreachable;
    catalogue.say(w.title, w.text, w.tip);
  }
}

/** opened says whether a person opened this address, and not a link on some other site. */
function openedByPerson() {
  const t = performance.getEntriesByType('navigation')[0]?.serverTiming?.find(x => x.name === 'opened')?.description;
  return t === 'direct';
}

async function route(to) {
  const saved = playing.get(null);
  if (to.kind === 'home' || !stage.root.hidden) return; // the person was faster
  catalogue.root.inert = true;
  if (to.kind === 'watch' || to.kind === 'join') return stage.join(to.kind, to.session, to.token);
  if (saved?.app && saved.app.name === to.app) return stage.resume(saved);
  const app = state.apps.find(a => a.name === to.app || a.id === to.app);
  catalogue.root.inert = false;
  if (!app) return toast('That game is not in the mesh right now.', { kind: 'warn' });
  if (openedByPerson()) {
    catalogue.root.inert = true;
    return stage.launch(app);
  }
  const tile = document.querySelector(`[data-app="${CSS.escape(app.name)}"]`);
  tile?.scrollIntoView({ block: 'center' });
  tile?.focus();
}

const lacking = browserProblem();
if (lacking) {
  const note = document.getElementById('lacking');
  note.textContent = `${words[lacking].title}. ${words[lacking].text ?? ''} ${words[lacking].tip}`;
  note.hidden = false;
}

// Probes of the latency bench need a key that they press from outside; nothing else
// gets hold of the game from the page's globals.
if (new URLSearchParams(location.search).get('probe') === '1') {
  window.__press = down => stage.input?.press('KeyZ', Boolean(down));
  Object.defineProperties(window, { __pc: { get: () => stage.session?.pc }, __slack: { get: () => stage.session?.slack.mean } });
}

catalogue.loading();
warm();
const known = playerKey().then(k => { state.key = k; });
// Some browsers never answer for their storage. Where play is free a key is no reason to wait for long;
// where it may cost money, nothing can be played without.
const enough = new Promise(r => setTimeout(r, 2000)).then(() => purse.none || new Promise(r => setTimeout(r, 8000)));
state.keyKnown = Promise.race([known, enough]).then(() => { state.keyKnown = null; });
known.then(() => { if (purse.ledger) purse.refresh(); refund(); });
await refresh();
await Promise.race([state.keyKnown, new Promise(r => setTimeout(r, 300))]);
await route(opened);
refund();
setInterval(refund, 60_000);
setInterval(() => { if (stage.root.hidden && !document.hidden) refresh(); }, 5000);
window.addEventListener('hashchange', () => { if (parseHash(location.hash).kind !== 'home') location.reload(); });
window.addEventListener('pageshow', e => { if (e.persisted) location.reload(); });
