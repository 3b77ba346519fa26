import test from 'node:test';
import assert from 'node:assert/strict';
import { circularMean, median, Period, Slack } from '../web/slack.js';
import { parseHash, linkTo, iceServers, serverTiming } from '../web/links.js';
import { problemWords, byeWords, words, shortId, when } from '../web/words.js';
import { reading, figures, digest } from '../web/meter.js';
import { fragment } from '../web/whep.js';
import { stereo, cellAfter } from '../web/session.js';
import { price, places, ordered } from '../web/catalogue.js';

const near = (a, b, d = 1e-6) => assert.ok(Math.abs(a - b) <= d, `${a} is not near ${b}`);

test('slack averages on the circle of one period', () => {
  near(circularMean([0.2, 16.5], 16.7), 0, 1e-9);
  near(circularMean([1, 2, 3], 16.7), 2, 1e-2);
  near(circularMean([17.7, 1], 16.7), 1, 1e-9);
  near(circularMean([-0.5, -1.5], 16.7), -1, 1e-3);
});

test('the display period comes from animation frames, missed ones or not', () => {
  const p = new Period();
  let t = 0;
  for (let i = 0; i < 100; i++) p.frame(t += i % 10 ? 1000 / 144 : 2000 / 144);
  near(p.value, 1000 / 144, 1e-6);
  p.frame(t += 5000); // the tab slept
  near(p.value, 1000 / 144, 1e-6);
});

test('a slack report comes each 250 ms', () => {
  const s = new Slack(new Period(16)), out = [];
  for (let t = 0; t <= 1000; t += 16) {
    const r = s.frame(t, t - 17.5); // one period late is the same phase
    if (r) out.push(r);
  }
  assert.equal(out.length, 3);
  near(out[0].slack, 1.5, 1e-9);
  assert.equal(out[0].period, 16);
  assert.ok(out[0].samples >= 15);
  near(s.wait, 1.5, 1e-9);
});

test('addresses', () => {
  assert.deepEqual(parseHash('#play=nova'), { kind: 'play', app: 'nova' });
  assert.deepEqual(parseHash('#watch=0a0b.0c0d'), { kind: 'watch', session: '0a0b', token: '0c0d' });
  for (const bad of ['', '#', '#play=../x', '#watch=zz.00', '#join=0a0b', '#eval=1']) assert.deepEqual(parseHash(bad), { kind: 'home' }, bad);
  assert.equal(linkTo('http://localhost:8080/', 'join', '0a', '0b'), 'http://localhost:8080/#join=0a.0b');
  assert.deepEqual(iceServers('<stun:s.example:3478>; rel="ice-server", <turn:t.example>; rel="ice-server"; username="u"; credential="p", <https://x>; rel="next"'),
    [{ urls: 'stun:s.example:3478' }, { urls: 'turn:t.example', username: 'u', credential: 'p' }]);
  assert.deepEqual(serverTiming('match;dur=1.5, reserve;dur=20, signal;dur=3'), { match: 1.5, reserve: 20, signal: 3 });
  assert.deepEqual(serverTiming(null), {});
});

test('every refusal has words and something to try', () => {
  for (const code of ['no-app', 'no-match', 'no-slot', 'no-indexer', 'no-session', 'unauthorised', 'invalid', 'container-gone', 'busy', 'deadline', 'rate', 'new-one', undefined]) {
    const w = problemWords(503, { code });
    assert.ok(w.title && w.text && w.tip, code);
  }
  const w = problemWords(409, { code: 'no-match', detail: 'None.', reasons: [{ container: '12D3KooWabcdefgh12345678', filter: 'price', reason: '' }, { container: 'x', filter: 'slot', reason: '0 of 2 free' }] });
  assert.deepEqual(w.lines, ['…12345678: too expensive', 'x: 0 of 2 free']);
  for (const [k, v] of Object.entries(words)) assert.ok(v.title && v.tip, k);
  for (const code of ['ended', 'evicted', 'crashed', 'shutdown', 'idle', 'other']) assert.ok(byeWords({ code }).title, code);
  assert.equal(byeWords({ code: 'crashed', text: 'It hit a wall.' }).text, 'It hit a wall.');
  assert.equal(shortId(''), 'unknown');
});

test('a time is told with its day where that is another one', () => {
  const at = (day, hour, minute) => new Date(2026, 10, day, hour, minute).getTime();
  assert.match(when(at(22, 23, 59), at(22, 0, 0)), /^at \D*\d+:\d\d/);
  assert.match(when(at(23, 0, 20), at(22, 23, 40)), /^on .*23.* at \D*\d+:\d\d/);
  assert.match(when(at(22, 12, 0), at(23, 12, 0)), /^on .*22.* at /); // of a day before
  const end = new Date(2026, 11, 31, 23, 50).getTime();
  assert.match(when(end + 40 * 60_000, end), /^on .*1.* at /);
  assert.match(when(end + 60_000), /^(at|on) /);
});

test('figures are differences of counters', () => {
  const report = (t, o) => new Map([['v', { type: 'inbound-rtp', kind: 'video', timestamp: t, ...o }], ['p', { type: 'candidate-pair', state: 'succeeded', nominated: true, currentRoundTripTime: 0.012 }]]);
  const a = reading(report(1000, { framesDecoded: 100, bytesReceived: 0, packetsLost: 1, packetsReceived: 10, jitterBufferDelay: 1, jitterBufferEmittedCount: 100, totalDecodeTime: 0.1 }));
  const b = reading(report(2000, { framesDecoded: 160, bytesReceived: 500000, packetsLost: 2, packetsReceived: 109, jitterBufferDelay: 1.06, jitterBufferEmittedCount: 160, totalDecodeTime: 0.16 }));
  const f = figures(a, b);
  near(f.fps, 60); near(f.kbps, 4000); near(f.loss, 0.01); near(f.jb_ms, 1); near(f.decode_ms, 1); near(f.rtt_ms, 12);
  assert.deepEqual(digest(f), { t: 'stats', fps: 60, lost: 1, rtt_ms: 12, jb_ms: 1, decode_ms: 1, kbps: 4000 });
  assert.deepEqual(digest(figures(reading(new Map()), reading(new Map()))), { t: 'stats', lost: 0 });
});

test('small things', () => {
  assert.ok(Number.isNaN(median([])));
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(fragment('v=0\r\nm=video 9 X 96\r\na=ice-ufrag:u\r\na=ice-pwd:p\r\na=mid:0\r\n', ['candidate:1 1 udp 1 192.0.2.1 9 typ host'], true),
    'a=ice-ufrag:u\r\na=ice-pwd:p\r\nm=video 9 X 96\r\na=mid:0\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\na=end-of-candidates\r\n');
  assert.equal(stereo('a=fmtp:111 minptime=10;useinbandfec=1\r\n'), 'a=fmtp:111 minptime=10;useinbandfec=1;stereo=1\r\n');
  assert.equal(stereo('a=fmtp:111 minptime=10;useinbandfec=1;stereo=0\r\n'), 'a=fmtp:111 minptime=10;useinbandfec=1;stereo=0\r\n');
  assert.equal(price(250000), '$0.25 / h');
  assert.equal(price(0), 'free');
  assert.deepEqual(ordered([{ name: 'latency-30' }, { name: 'comet' }, { name: 'nova' }]).map(a => a.name), ['comet', 'nova', 'latency-30']);
  assert.equal(places({ slots_free: 1 }), '1 place free');
});

test('every page asks for challenge cells early, and rarely after that', () => {
  for (const r of [0, 0.5, 0.999]) {
    assert.ok(cellAfter(true, r) >= 3000 && cellAfter(true, r) <= 20000);
    assert.ok(cellAfter(false, r) >= 300000 && cellAfter(false, r) <= 600000);
  }
});
