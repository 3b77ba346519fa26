// whep.js: the HTTP side of a connection: offer and answer, trickle, leaving.

import { serverTiming } from './links.js';
import { unbase64 } from './bytes.js';

/** Refused carries the problem document of an answer that said no. */
export class Refused extends Error {
  constructor(status, problem) {
    super(problem?.detail ?? 'status ' + status);
    this.status = status;
    this.problem = problem ?? {};
  }
}
/** Unreachable: the gateway itself does not answer. */
export class Unreachable extends Error {}

async function ask(url, init) {
  let r;
  try {
    r = await fetch(url, { cache: 'no-store', ...init });
  } catch (e) {
    if (e.name === 'AbortError' || e.name === 'TimeoutError') throw e;
    throw new Unreachable(String(e));
  }
  if (r.ok) return r;
  let p;
  try {
    p = await r.json();
  } catch { /* a proxy's page: the status has to do */ }
  throw new Refused(r.status, p);
}

export const getJSON = async (url, init) => (await ask(url, init)).json();
export const get = ask;

/** post sends an offer and returns what the answer brought. */
export async function post(app, offer, { query = {}, player, signal } = {}) {
  const q = new URLSearchParams();
  for (const [k, v] of Object.entries(query)) for (const x of [v].flat()) if (x) q.append(k, x);
  const headers = { 'Content-Type': 'application/sdp', Accept: 'application/sdp' };
  if (player) headers['Framemesh-Player'] = player;
  const r = await ask('/whep/' + app + (q.size ? '?' + q : ''), { method: 'POST', body: offer, headers, signal });
  const h = n => r.headers.get('Framemesh-' + n) ?? '';
  return {
    answer: await r.text(), location: r.headers.get('Location'), etag: r.headers.get('ETag'), timing: serverTiming(r.headers.get('Server-Timing')),
    session: h('Session'), container: h('Container'), role: h('Role'), proof: unbase64(h('Proof')), certificate: unbase64(h('Certificate')),
    ownerToken: h('Owner-Token'), playToken: h('Play-Token'), watchToken: h('Watch-Token'),
  };
}

/** fragment writes candidates as application/trickle-ice-sdpfrag. All media share one transport, so they go under the first. */
export function fragment(sdp, candidates, complete) {
  const line = re => re.exec(sdp)?.[0];
  const out = [line(/^a=ice-ufrag:.*$/m), line(/^a=ice-pwd:.*$/m), line(/^m=.*$/m), line(/^a=mid:.*$/m)].filter(Boolean).map(s => s.trim());
  out.push(...candidates.map(c => 'a=' + c.replace(/^a=/, '')));
  if (complete) out.push('a=end-of-candidates');
  return out.join('\r\n') + '\r\n';
}

export const patch = (location, etag, body) =>
  ask(location, { method: 'PATCH', body, headers: { 'Content-Type': 'application/trickle-ice-sdpfrag', 'If-Match': etag } });

/** leave outlives the page that sends it. */
export const leave = location => fetch(location, { method: 'DELETE', keepalive: true }).catch(() => {});
