// words.js: every failure in words: what happened, why, and what to try. No view and
// no browser state here, so that each sentence has a test.

const names = {
  slot: 'no free place', app: 'does not have the game', score: 'not fast enough', latency: 'too far away',
  price: 'too expensive', region: 'in another region', excluded: 'just failed you', expired: 'has gone quiet',
};

/** shortId is how a peer id is shown: its end tells peers apart. */
export const shortId = id => (id && id.length > 12 ? '…' + id.slice(-8) : id || 'unknown');

/** reasonLine is one container's reason as a sentence. */
export const reasonLine = r => `${shortId(r.container)}: ${r.reason || names[r.filter] || r.filter}`;

/** problemWords turns a problem document (or a status without one) into words. */
export function problemWords(status, p = {}) {
  const w = { title: 'That did not work', text: p.detail || `The gateway answered with status ${status}.`, tip: p.try || 'Try again in a moment.', lines: (p.reasons ?? []).map(reasonLine), again: true };
  switch (p.code) {
    case 'no-match':
      w.title = 'No machine can run this game right now';
      w.tip = p.try || (w.lines.length ? 'Each machine says below why not.' : 'Try again when more machines have joined.');
      break;
    case 'no-slot':
      w.title = 'Every machine is busy';
      break;
    case 'no-app':
      w.title = 'This game is not in the mesh';
      w.again = false;
      break;
    case 'no-indexer':
      w.title = 'Nobody is there to find a machine';
      w.tip = p.try || 'The gateway has no connection to an indexer yet. Wait a few seconds and try again.';
      break;
    case 'no-session':
    case 'container-gone':
      w.title = 'That game has ended';
      w.again = false;
      break;
    case 'unauthorised':
      w.title = 'This link is not valid any more';
      w.tip = p.try || 'Ask for a new link.';
      w.again = false;
      break;
    case 'payment':
      w.title = 'This game costs money';
      w.again = false;
      break;
    case 'busy':
    case 'rate':
      w.title = 'The mesh is busy';
      break;
    case 'deadline':
      w.title = 'The mesh did not answer in time';
      break;
  }
  return w;
}

/** missed is said when a machine was reported that left in the middle of a paid game. */
export const missed = 'The machine left in the middle of a paid game. It was reported: if checkers find it gone, too, it pays for that.';

export const words = {
  gone: {
    title: 'The machine that ran your game stopped answering',
    text: 'No picture and no sign of life for over a second. It may have been switched off or lost its network.',
    tip: 'Another machine can take over. The game starts anew there.',
  },
  silentPicture: {
    title: 'The picture stopped',
    text: 'The machine still answers, but no picture arrives.',
    tip: 'Another machine can take over. The game starts anew there.',
  },
  tampered: {
    title: 'The gateway changed the answer',
    tip: 'Nothing was connected and nothing was shown. Use another gateway, best one on your own machine: framemesh run.',
  },
  noWebRTC: {
    title: 'This browser cannot play',
    text: 'It has no WebRTC, or a setting or an extension switched it off.',
    tip: 'Try a current Chromium, Chrome, Edge, Firefox or Safari, or switch WebRTC on in the settings.',
  },
  noH264: {
    title: 'This browser cannot show the picture',
    text: 'It has no H.264 decoder for WebRTC.',
    tip: 'In Firefox, switch on the OpenH264 plugin under Add-ons → Plugins. Otherwise try Chrome, Edge or Safari.',
  },
  unreachable: {
    title: 'The gateway does not answer',
    text: 'The page could not reach the node it came from.',
    tip: 'Check that framemesh is still running, then try again.',
  },
  noConnection: {
    title: 'No way to the machine was found',
    text: 'A machine was found and said yes, but no direct connection came about within ten seconds.',
    tip: 'A firewall may block UDP. Try another network, or another machine.',
  },
  noKey: {
    title: 'This browser cannot pay',
    text: 'Machines that run this game are paid by the second. This browser has no Ed25519 keys to sign with, or keeps none in a private window.',
    tip: 'Try a current Chrome, Edge, Firefox or Safari, in a normal window.',
  },
  noRate: {
    title: 'The price is not known just now',
    text: 'No fresh rate between dollars and the mesh’s money has come in, so no machine can say what a second costs.',
    tip: 'Try again in half a minute.',
  },
  badTerms: {
    title: 'The machine’s price does not hold',
    tip: 'Nothing was paid. Another machine can take over.',
  },
  queueGone: {
    title: 'Your place in the queue is gone',
    text: 'The machine you waited for left the mesh.',
    tip: 'Start again: another machine may be free.',
  },
};

const byes = {
  ended: { title: 'The game has ended', text: 'Thanks for playing.' },
  evicted: { title: 'This game is open somewhere else', text: 'It moved to another tab or window.' },
  crashed: { title: 'The game crashed', text: 'The machine restarted it several times without success.', next: true },
  shutdown: { title: 'The machine is shutting down', text: 'Its operator ended all games on it.', next: true },
  unpaid: { title: 'The game ended because it was not paid for', text: 'What was set aside and not played comes back to your account.' },
  idle: { title: 'The game ended because nobody played', text: 'A machine is not kept busy without input.' },
};

/** byeWords explains why the container said goodbye. */
export function byeWords(m) {
  const w = byes[m.code] ?? { title: 'The game has ended', text: '' };
  return { ...w, text: m.text || w.text, tip: w.next ? 'Another machine can take over. The game starts anew there.' : '' };
}

/** tooDear: every machine asks for more than the player's limit. Both in µUSD per hour. */
export const tooDear = (least, ceiling) => ({
  title: 'Every machine asks for more than your limit',
  text: `The cheapest asks for ${dollars(least)} an hour; your limit is ${dollars(ceiling)}.`,
  tip: 'Raise the limit at the top of the page, or wait for a cheaper machine.',
});

/** noMoney: the account does not hold half a minute of play. */
export const noMoney = (balance, symbol, address) => ({
  title: 'There is not enough money in your account',
  text: `It holds ${balance} ${symbol}, which is less than half a minute of this game.`,
  tip: `Send some to ${address} and try again. What is not played comes back.`,
});

/** dollars writes µUSD for people. */
export const dollars = micro => `$${(Number(micro) / 1e6).toFixed(Number(micro) < 1e4 ? 4 : 2)}`;

/** when says a time for people, with its day where that is not today. */
export function when(ms, now = Date.now()) {
  const d = new Date(ms), time = d.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
  return d.toDateString() === new Date(now).toDateString() ? `at ${time}` : `on ${d.toLocaleDateString([], { day: 'numeric', month: 'long' })} at ${time}`;
}
