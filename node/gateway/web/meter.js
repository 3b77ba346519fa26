// meter.js: getStats counters into figures for people. Counters only grow; a figure is
// the difference of two readings.

/** reading picks the counters of one getStats report. */
export function reading(report) {
  const r = { t: 0, rtt: NaN, video: null, audio: null };
  for (const s of report.values()) {
    if (s.type === 'inbound-rtp' && s.kind === 'video') r.video = s;
    if (s.type === 'inbound-rtp' && s.kind === 'audio') r.audio = s;
    if (s.type === 'candidate-pair' && (s.nominated || s.selected) && s.state === 'succeeded' && s.currentRoundTripTime !== undefined) r.rtt = s.currentRoundTripTime * 1000;
  }
  r.t = r.video?.timestamp ?? 0;
  return r;
}

const per = (a, b, sum, count) => {
  const n = (b?.[count] ?? 0) - (a?.[count] ?? 0);
  return n > 0 ? (((b?.[sum] ?? 0) - (a?.[sum] ?? 0)) / n) * 1000 : NaN;
};

/** figures compares two readings: fps, kbps, lost packets and share, and mean ms of jitter buffer and decoder. */
export function figures(a, b) {
  const s = (b.t - a.t) / 1000, av = a.video ?? {}, bv = b.video ?? {};
  const d = k => (bv[k] ?? 0) - (av[k] ?? 0);
  const lost = Math.max(0, d('packetsLost')), got = d('packetsReceived');
  return {
    fps: s > 0 ? d('framesDecoded') / s : NaN,
    kbps: s > 0 ? (d('bytesReceived') * 8) / s / 1000 : NaN,
    lost, loss: lost + got > 0 ? lost / (lost + got) : 0,
    dropped: d('framesDropped'),
    rtt_ms: b.rtt,
    jb_ms: per(av, bv, 'jitterBufferDelay', 'jitterBufferEmittedCount'),
    decode_ms: per(av, bv, 'totalDecodeTime', 'framesDecoded'),
    width: bv.frameWidth ?? 0, height: bv.frameHeight ?? 0,
  };
}

/** digest is what the container wants to know each second; figures that are not there are left out. */
export function digest(f) {
  const out = { t: 'stats' };
  for (const k of ['fps', 'lost', 'rtt_ms', 'jb_ms', 'decode_ms', 'kbps']) if (Number.isFinite(f[k])) out[k] = Math.round(f[k] * 10) / 10;
  return out;
}
