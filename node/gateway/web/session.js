// session.js: one peer connection to a container: offer, verified answer, tracks,
// channels, statistics and the watchdog. It shows nothing; it tells (events) and the
// stage decides what that looks like.

import { post, patch, leave, fragment } from './whep.js';
import { verifyAnswer, verifyCertificate, CannotVerify, VerifyError } from './verify.js';
import { Slack } from './slack.js';
import { encodeSlack } from './packet.js';
import { hex } from './bytes.js';

const SILENT_MS = 1500; // no media and no sign of life: the machine is gone
const PICTURE_MS = 5000; // signs of life, but no picture
const CONNECT_MS = 10000;
const STALL_MS = 250;
const EARLY = 600; // inputs that wait for the witness

/**
 * cellAfter is in how many ms a page asks for challenge cells: for the first time 3 to 20 s
 * after its first picture, then every 5 to 10 minutes. It does not look at the answer:
 * checkers that play like anybody do, and are not to be known by asking. See
 * docs/spec/quality.md.
 */
export const cellAfter = (first, random = Math.random()) => first ? 3000 + 17000 * random : 300000 * (1 + random);

/** mark leaves a stage's time in the browser's own timeline (performance.getEntriesByType('mark')). */
export const mark = name => performance.mark('framemesh:' + name);

/** browserProblem names what this browser lacks: 'noWebRTC', 'noH264' or ''. */
export function browserProblem() {
  if (typeof RTCPeerConnection !== 'function') return 'noWebRTC';
  const caps = globalThis.RTCRtpReceiver?.getCapabilities?.('video');
  if (caps && !caps.codecs.some(c => /^video\/h264$/i.test(c.mimeType))) return 'noH264';
  return '';
}

/**
 * Peer is a connection that waits for its offer to be posted. Making it early (when a
 * tile is pointed at) takes certificate, offer and gathering out of the click.
 */
export class Peer {
  constructor(iceServers = []) {
    this.pc = new RTCPeerConnection({ iceServers, bundlePolicy: 'max-bundle' });
    this.input = this.pc.createDataChannel('input', { ordered: false, maxRetransmits: 0 });
    this.input.binaryType = 'arraybuffer';
    this.control = this.pc.createDataChannel('control');
    prefer(this.pc.addTransceiver('video', { direction: 'recvonly' }), 'video', /^video\/(h264|rtx)$/i);
    prefer(this.pc.addTransceiver('audio', { direction: 'recvonly' }), 'audio', /^audio\/opus$/i);
    this.candidates = [];
    this.complete = false;
    this.pc.onicecandidate = e => {
      if (e.candidate?.candidate) this.candidates.push(e.candidate.candidate);
      else this.complete = true;
      this.oncandidates?.();
    };
    this.ready = this.#offer();
    this.ready.catch(() => {}); // reported when the peer is used
  }

  async #offer() {
    const o = await this.pc.createOffer();
    try {
      await this.pc.setLocalDescription({ type: 'offer', sdp: stereo(o.sdp) });
    } catch {
      await this.pc.setLocalDescription(o);
    }
  }

  close() {
    this.pc.close();
  }
}

// prefer leaves out what no container sends: a short description is made, sent and
// applied faster. Browsers that cannot choose offer everything, which works too.
function prefer(transceiver, kind, wanted) {
  try {
    const codecs = RTCRtpReceiver.getCapabilities(kind).codecs.filter(c => wanted.test(c.mimeType));
    if (codecs.length) transceiver.setCodecPreferences(codecs);
  } catch { /* as above */ }
}

/** stereo asks for both channels of Opus; browsers decode mono unless their own description says so. */
export const stereo = sdp => sdp.replace(/^(a=fmtp:\d+ .*useinbandfec=1)(?!.*stereo=)/m, '$1;stereo=1');

/**
 * Session events (CustomEvent.detail): stage {name, timing}, video {track}, audio {track},
 * frame {}, first {}, control {message}, silent {kind: 'gone'|'picture'}, input {open},
 * talking {}: the control channel is open.
 */
export class Session extends EventTarget {
  constructor({ app, query = {}, player = '', network, peer, expect = '', period }) {
    super();
    Object.assign(this, { app, query, player, network, peer, expect, period });
    this.pc = peer.pc;
    this.slack = new Slack(period);
    this.role = '';
    this.frames = 0;
    this.paused = false;
    this.closed = false;
    this.verified = { answer: 'no', certificate: 'no' };
    this.sentAt = new Map();
    this.applied = [];
    this.latencies = []; // of the running second
    this.early = []; // inputs before somebody signs for them
    this.stalls = 0;
    this.acked = 0;
    this.container = '';
    this.abort = new AbortController();
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  /** connect resolves when the answer holds and is set; the picture follows as an event. */
  async connect() {
    const { pc, peer } = this;
    pc.ontrack = e => this.#track(e);
    pc.onconnectionstatechange = () => this.#state();
    peer.input.onopen = () => this.#tell('input', { open: true });
    peer.input.onclose = () => this.#tell('input', { open: false });
    peer.control.onopen = () => {
      this.say({ t: 'hello', v: 1, key: this.player });
      this.#tell('talking', {});
    };
    peer.control.onmessage = e => this.#heard(e.data);
    await peer.ready;
    if (this.closed) return;
    mark('local');
    this.#tell('stage', { name: 'finding' });
    const offer = pc.localDescription.sdp, inOffer = new Set(peer.candidates.filter(c => offer.includes(c)));
    mark('post');
    const a = await post(this.app.id || this.app.name, offer, { query: this.query, player: this.player, signal: this.abort.signal });
    mark('answer');
    if (this.closed) return void leave(a.location);
    Object.assign(this, { session: a.session, container: a.container, role: a.role, location: a.location, etag: a.etag, timing: a.timing, tokens: { owner: a.ownerToken, play: a.playToken, watch: a.watchToken } });
    try {
      await this.#verify(offer, a);
    } catch (e) {
      if (e instanceof VerifyError) {
        this.close();
        leave(a.location);
      }
      throw e;
    }
    mark('verified');
    if (this.closed) return void leave(a.location);
    this.#tell('stage', { name: 'connecting', timing: a.timing });
    await pc.setRemoteDescription({ type: 'answer', sdp: a.answer });
    mark('remote');
    this.#trickle(inOffer);
    this.#watch();
  }

  // A certificate comes with a launch; for a resumed or joined session the container is
  // the one that is already known, or the one that the proof names.
  async #verify(offer, a) {
    try {
      const held = await verifyAnswer({ proof: a.proof, network: this.network, container: a.container, session: a.session, offer, answer: a.answer });
      this.verified.answer = 'yes';
      Object.assign(this, { terms: held.terms, containerBytes: held.peerBytes });
      if (this.expect && this.expect !== a.container) throw new VerifyError('Another machine answered than the one that runs your game.');
      if (a.certificate?.length) {
        this.certificate = a.certificate; // kept as it came, for those who want to check all of it
        const match = await verifyCertificate({ certificate: a.certificate, network: this.network, container: a.container, app: this.app.id, player: this.player });
        this.verified.certificate = 'yes';
        this.indexerBytes = match.indexerBytes;
      } else if (!this.query.session) {
        throw new VerifyError('The match certificate is missing.');
      }
    } catch (e) {
      if (!(e instanceof CannotVerify)) throw e;
      this.verified = { answer: 'cannot', certificate: 'cannot' }; // shown in the overlay, never hidden
    }
  }

  #trickle(sent) {
    let timer = null, ended = false;
    const flush = () => {
      timer = null;
      const fresh = this.peer.candidates.filter(c => !sent.has(c)), s = this.pc.iceConnectionState;
      if (this.closed || ended || s === 'connected' || s === 'completed') return;
      if (!fresh.length && !this.peer.complete) return;
      fresh.forEach(c => sent.add(c));
      ended = this.peer.complete;
      patch(this.location, this.etag, fragment(this.pc.localDescription.sdp, fresh, this.peer.complete)).catch(() => {}); // connectivity decides, not this request
    };
    this.peer.oncandidates = () => { timer ??= setTimeout(flush, 30); };
    this.peer.oncandidates();
  }

  #track(e) {
    if (e.track.kind === 'video') {
      try {
        e.receiver.jitterBufferTarget = 0;
      } catch { /* not in every browser */ }
      try {
        e.receiver.playoutDelayHint = 0;
      } catch { /* as above */ }
      this.videoReceiver = e.receiver;
    }
    this.#tell(e.track.kind, { track: e.track });
  }

  #state() {
    const s = this.pc.connectionState;
    if (s === 'connected') {
      mark('connected');
      this.#tell('stage', { name: 'picture' });
    }
    if (s === 'failed' && !this.closed) this.#silent('gone');
  }

  /** follow counts the frames of a video element and measures their slack. */
  follow(video) {
    const each = (now, md) => {
      if (this.closed) return;
      this.frames++;
      const t = performance.now();
      if (t - this.lastPicture > STALL_MS && this.frames > 1 && !this.paused) this.stalls++;
      this.lastPicture = t;
      if (this.frames === 1) {
        mark('first-frame');
        this.#tell('first', {});
      }
      const r = this.slack.frame(now, md.presentationTime);
      if (r && this.role === 'owner') this.raw(encodeSlack(r.samples, r.slack, r.period));
      video.requestVideoFrameCallback(each);
    };
    if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(each);
    else { // browsers without frame callbacks still play; only the slack is not measured
      video.addEventListener('timeupdate', () => {
        this.lastPicture = performance.now();
        if (this.frames++ === 0) this.#tell('first', {});
      });
    }
  }

  /** raw sends on the input channel; a closed one drops it, as the network may. */
  raw(bytes) {
    if (this.peer.input.readyState !== 'open' || this.peer.input.bufferedAmount > 16384) return false;
    this.peer.input.send(bytes);
    return true;
  }

  /** sendInput sends a player's state and remembers when, to time its acknowledgement. */
  sendInput(bytes, seq) {
    if (this.witness) this.witness.sent(bytes, seq);
    else if (this.early?.push([bytes, seq]) > EARLY) this.early = null; // nobody signs on this connection
    if (!this.raw(bytes)) return;
    this.sentAt.set(seq, performance.now());
    if (this.sentAt.size > 512) this.sentAt.delete(this.sentAt.keys().next().value);
  }

  say(message) {
    if (this.peer.control.readyState === 'open') this.peer.control.send(JSON.stringify(message));
  }

  #heard(data) {
    this.lastSign = performance.now();
    let m;
    try {
      m = typeof data === 'string' && data.length <= 4096 ? JSON.parse(data) : null;
    } catch { /* not ours */ }
    if (!m || typeof m.t !== 'string') return;
    if (m.t === 'ack' || m.t === 'stats') this.#acked(m.t === 'ack' ? m.seq : m.acked);
    if (m.t === 'notice' && (m.code === 'paused' || m.code === 'unpaid')) this.paused = true;
    if (m.t === 'notice' && (m.code === 'resumed' || m.code === 'worker-restarted')) this.paused = false;
    if (m.t === 'bye') this.left = true;
    this.#tell('control', { message: m });
  }

  #acked(seq) {
    const t = this.sentAt.get(seq);
    if (t === undefined) return;
    for (const k of this.sentAt.keys()) {
      this.sentAt.delete(k);
      if (k === seq) break;
    }
    const ms = performance.now() - t;
    this.applied.push(ms);
    this.latencies.push(ms);
    this.acked = seq;
    if (this.applied.length > 30) this.applied.shift();
    if (this.latencies.length > 60) this.latencies.shift();
  }

  #silent(kind) {
    if (this.closed || this.left || this.told) return;
    this.told = true;
    this.#tell('silent', { kind });
  }

  // The watchdog runs four times a second. A browser that slept or throttled the tab
  // runs it late: then the clocks start again, because silence was its own.
  #watch() {
    const start = performance.now();
    let last = start, n = 0, packets = -1, media = start, cell = 0;
    this.lastSign = this.lastPicture = start;
    this.timer = setInterval(async () => {
      const now = performance.now();
      if (now - last > 1200) media = this.lastSign = this.lastPicture = now;
      last = now;
      if (n++ % 2 === 0) this.say({ t: 'ping', n });
      if (this.role === 'owner' && this.frames && now >= cell) {
        if (cell) this.say({ t: 'cell', nonce: hex(crypto.getRandomValues(new Uint8Array(8))) });
        cell = now + cellAfter(!cell);
      }
      if (this.frames === 0 && this.pc.connectionState !== 'connected') {
        media = this.lastSign = this.lastPicture = now; // silence counts from the connection on
        if (now - start > CONNECT_MS) this.#silent('connect');
        return;
      }
      if (now - this.lastPicture < 500) media = now;
      else {
        const got = await this.#packets();
        if (got > packets) media = performance.now();
        packets = got;
      }
      if (this.closed) return;
      const quiet = now - media, sign = now - this.lastSign;
      if (quiet > SILENT_MS && sign > SILENT_MS) this.#silent('gone');
      else if (quiet > PICTURE_MS && !this.paused) this.#silent('picture');
    }, 250);
  }

  /** moved resolves to whether pictures, or sound of a hidden page, came since it was asked last. */
  async moved() {
    const frames = this.frames, more = frames > (this.movedFrames ?? 0);
    this.movedFrames = frames;
    if (more || frames === 0) return more;
    const n = await this.#packets(), before = this.movedPackets ?? n;
    this.movedPackets = n;
    return n > before;
  }

  /** attest has a witness sign for this connection from its first input on. */
  attest(witness) {
    this.witness = witness;
    if (this.segment) witness.told(this.segment);
    for (const [bytes, seq] of this.early ?? []) witness.sent(bytes, seq);
    this.early = null;
    let frames = 0, stalls = 0;
    return counted => {
      witness.second({ frames: this.frames - frames, stalls: this.stalls - stalls, latencies: this.latencies, acked: this.acked, ...counted });
      frames = this.frames;
      stalls = this.stalls;
      this.latencies = [];
    };
  }

  /** talks says whether the control channel is open. */
  get talks() {
    return this.peer.control.readyState === 'open';
  }

  async #packets() {
    try {
      let n = 0;
      for (const s of (await this.pc.getStats()).values()) if (s.type === 'inbound-rtp') n += s.packetsReceived ?? 0;
      return n;
    } catch {
      return 0;
    }
  }

  /** close ends this connection only; the session lives on at the container. */
  close() {
    if (this.closed) return;
    this.closed = true;
    this.abort.abort();
    clearInterval(this.timer);
    this.peer.close();
  }

  /** end tells the container that the player is done: for all when it is the owner's. */
  end() {
    if (this.location) leave(this.location);
    this.close();
  }
}
