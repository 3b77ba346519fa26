// slack.js: how long a decoded frame waits for the display. The container moves its
// tick by these reports until a frame is ready just before it is shown.

/**
 * circularMean averages times that wrap at period, so that 0.2 and 16.5 ms (of 16.7)
 * average to about 0 and not to 8. Returns a value in (-period/2, period/2].
 */
export function circularMean(samples, period) {
  let x = 0, y = 0;
  for (const s of samples) {
    const a = (s / period) * 2 * Math.PI;
    x += Math.cos(a);
    y += Math.sin(a);
  }
  return (Math.atan2(y, x) / (2 * Math.PI)) * period;
}

/** median of a list; NaN when empty. */
export function median(list) {
  if (!list.length) return NaN;
  const a = [...list].sort((x, y) => x - y), m = a.length >> 1;
  return a.length % 2 ? a[m] : (a[m - 1] + a[m]) / 2;
}

/**
 * Period measures the display's period in ms from animation frame times. A page that
 * misses a frame sees twice the period, so the median counts; the mean of the steps
 * near it then gives the digits that one rounded timestamp lacks.
 */
export class Period {
  constructor(initial = 1000 / 60) {
    this.value = initial;
    this.steps = [];
    this.last = NaN;
  }

  frame(now) {
    const d = now - this.last;
    this.last = now;
    if (!(d >= 2 && d <= 50)) return; // 20 to 500 Hz
    this.steps.push(d);
    if (this.steps.length > 120) this.steps.shift();
    if (this.steps.length < 20) return;
    const m = median(this.steps), near = this.steps.filter(s => Math.abs(s - m) < 0.2 * m);
    this.value = near.reduce((a, b) => a + b, 0) / near.length;
  }
}

/** Slack gathers one sample per frame and gives a report each 250 ms. */
export class Slack {
  constructor(period) {
    this.period = period;
    this.samples = [];
    this.since = NaN;
    this.mean = NaN;
  }

  /** wait is the mean as a time from 0 to one period, for people. */
  get wait() {
    const p = this.period.value;
    return ((this.mean % p) + p) % p;
  }

  /** frame takes requestVideoFrameCallback's now and metadata.presentationTime; returns a report or null. */
  frame(now, presentation) {
    if (Number.isNaN(this.since)) this.since = now;
    const s = now - presentation;
    if (Math.abs(s) < 1000) this.samples.push(s);
    if (now - this.since < 250 || this.samples.length < 4) return null;
    const report = { samples: this.samples.length, slack: circularMean(this.samples, this.period.value), period: this.period.value };
    this.mean = report.slack;
    this.samples = [];
    this.since = now;
    return report;
  }
}
