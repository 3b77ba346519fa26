// links.js: what the part after # says, and the links a player hands out. The part
// after # never reaches a server's log, so a token may stand there.

/** parseHash returns {kind: 'home'} | {kind: 'play', app} | {kind: 'watch'|'join', session, token}. */
export function parseHash(hash) {
  const m = /^#(play|watch|join)=(.+)$/.exec(hash);
  if (!m) return { kind: 'home' };
  if (m[1] === 'play') return /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(m[2]) ? { kind: 'play', app: m[2] } : { kind: 'home' };
  const t = /^([0-9a-f]{2,128})\.([0-9a-f]{2,128})$/.exec(m[2]);
  return t ? { kind: m[1], session: t[1], token: t[2] } : { kind: 'home' };
}

/** linkTo builds the address that lets somebody join or watch. */
export const linkTo = (base, kind, session, token) => new URL(`#${kind}=${session}.${token}`, base).href;

/** iceServers reads the Link headers of WHEP. */
export function iceServers(link) {
  const out = [];
  for (const m of (link ?? '').matchAll(/<((?:stuns?|turns?):[^>]+)>([^,]*)/g)) {
    if (!/rel="?ice-server"?/.test(m[2])) continue;
    const s = { urls: m[1] }, user = /username="([^"]*)"/.exec(m[2]), secret = /credential="([^"]*)"/.exec(m[2]);
    if (user && secret) Object.assign(s, { username: user[1], credential: secret[1] });
    out.push(s);
  }
  return out;
}

/** serverTiming reads "match;dur=1.2, reserve;dur=3" into {match: 1.2, reserve: 3}. */
export function serverTiming(s) {
  const out = {};
  for (const m of (s ?? '').matchAll(/([\w-]+);dur=([\d.]+)/g)) out[m[1]] = +m[2];
  return out;
}
