// Runs in the player page before its own scripts. Nothing here is part of the page.
(() => {
  const B = window.__bench, now = () => performance.now();
  const marks = B.marks = {};
  const mark = k => { if (!(k in marks)) marks[k] = now(); };
  const video = () => [...document.querySelectorAll('video')].find(v => v.srcObject);

  // every channel and connection the page makes, so that stages and figures can be read
  const RTC = window.RTCPeerConnection;
  B.pcs = [];
  window.RTCPeerConnection = class extends RTC {
    constructor(...a) {
      super(...a);
      B.pcs.push(this);
      this.addEventListener('connectionstatechange', () => mark('pc_' + this.connectionState));
      this.addEventListener('track', () => mark('track'));
    }
    async createOffer(...a) { mark('create_offer'); const o = await super.createOffer(...a); mark('offer'); return o; }
    async setRemoteDescription(...a) { mark('answer'); const r = await super.setRemoteDescription(...a); mark('remote_set'); return r; }
    createDataChannel(label, o) {
      const ch = super.createDataChannel(label, o);
      if (label === 'control') ch.addEventListener('message', e => {
        try { const m = JSON.parse(e.data); if (m.t === 'stats') B.stats = m; } catch { /* not ours */ }
      });
      return ch;
    }
  };

  // watch resolves when the next video shows its first picture
  const watch = () => new Promise(done => {
    const limit = setTimeout(() => done({ Error: 'no first picture within 20 s: ' + (document.body?.innerText || '').slice(0, 300) }), 20000);
    const before = B.shown;
    const hook = () => {
      const v = video();
      if (!v || v.srcObject === before) return requestAnimationFrame(hook);
      mark('video');
      v.requestVideoFrameCallback(() => {
        mark('first_frame');
        B.shown = v.srcObject;
        clearTimeout(limit);
        const launch = {}, nav = {};
        for (const k in marks) { nav[k] = marks[k]; if (marks[k] >= marks.click) launch[k] = marks[k] - marks.click; }
        const e = performance.getEntriesByType('resource').filter(e => e.name.includes('/whep/') && e.startTime >= marks.click).pop();
        if (e) {
          for (const t of e.serverTiming || []) launch['server_' + t.name] = t.duration;
          launch.whep_post = e.responseEnd - e.startTime;
        }
        done({ Launch: launch, Navigation: nav });
      });
    };
    hook();
  });
  const tile = () => document.querySelector(`[data-app="${B.app}"]`);

  // navigation → first picture: the tile is clicked the moment it is there
  B.fromNavigation = new Promise(done => {
    const click = () => {
      if (!tile()) return setTimeout(click, 2);
      mark('click');
      tile().click();
      watch().then(done);
    };
    click();
  });

  // back to the catalogue, as a player goes
  B.back = () => new Promise(done => {
    document.querySelector('[data-tool=stop]').click();
    const look = () => (document.getElementById('stage').hidden && tile() ? setTimeout(done, 2000) : setTimeout(look, 20));
    look();
  });

  // click → first picture on a page at rest: the mouse is moved and pressed from outside
  B.place = () => {
    const b = tile().getBoundingClientRect();
    if (b.top < 0 || b.bottom > innerHeight) tile().scrollIntoView({ block: 'center', behavior: 'instant' });
    const r = tile().getBoundingClientRect();
    return [r.left + r.width / 2, Math.min(r.top + r.height / 2, innerHeight - 8)];
  };
  B.arm = () => {
    for (const k in marks) delete marks[k];
    addEventListener('click', () => mark('click'), { capture: true, once: true });
    B.fromClick = watch();
  };

  B.settle = () => new Promise(r => setTimeout(r, 2500));

  const press = s => document.dispatchEvent(new KeyboardEvent(s ? 'keydown' : 'keyup', { code: 'KeyZ', key: 'z', bubbles: true, cancelable: true }));
  B.press = s => (window.__press ? window.__press(s) : press(s));

  // presses at random moments, so that every phase of both clocks is met
  B.presses = ms => new Promise(done => {
    const out = [], end = now() + ms;
    let s = 0;
    const go = () => {
      if (now() > end) { if (s) B.press(0); return done(out); }
      s ^= 1;
      out.push([performance.timeOrigin + now(), s]);
      B.press(s);
      setTimeout(go, 200 + Math.random() * 100);
    };
    setTimeout(go, 200);
  });

  const quant = (a, p) => { a = [...a].sort((x, y) => x - y); return a.length ? Math.round(a[Math.min(a.length - 1, Math.floor(p * a.length))] * 10) / 10 : 0; };
  const of = a => ({ n: a.length, p50: quant(a, .5), p95: quant(a, .95) });

  // in-page probe: latency = moment of the frame callback − stamp in the picture
  B.inPage = ms => new Promise(done => {
    const c = document.createElement('canvas');
    c.width = 49; c.height = 1;
    const g = c.getContext('2d', { willReadFrequently: true });
    g.imageSmoothingEnabled = false;
    const glass = [], clicks = [], seen = new Set(), v = video(), t0 = now();
    let frames = 0, bad = 0, pressed = 0, state = 0;
    const again = () => setTimeout(() => { state ^= 1; pressed = now(); B.press(state); }, 150 + Math.random() * 150);
    const frame = () => {
      const t = now(), s = v.videoWidth / 1280;
      frames++;
      g.drawImage(v, 32 * s, 26 * s, 1152 * s, 4 * s, 0, 0, 48, 1);
      g.drawImage(v, 60 * s, 108 * s, 8 * s, 8 * s, 48, 0, 1, 1);
      const d = g.getImageData(0, 0, 49, 1).data;
      let bits = 0n;
      for (let i = 0; i < 48; i++) bits = (bits << 1n) | (d[i * 4 + 1] > 127 ? 1n : 0n);
      const val = bits >> 8n;
      let sum = 0xA5;
      for (let i = 0; i < 5; i++) sum ^= Number((val >> BigInt(8 * i)) & 255n);
      if (sum !== Number(bits & 255n)) bad++;
      else if (!seen.has(val)) {
        seen.add(val);
        const wall = performance.timeOrigin + t;
        let lat = Number((BigInt(Math.floor(wall)) - val) & 0xFFFFFFFFFFn);
        if (lat > 2 ** 39) lat -= 2 ** 40;
        glass.push(lat + wall % 1);
      }
      if (pressed && (d[48 * 4 + 1] > 127) === !!state) { clicks.push(t - pressed); pressed = 0; again(); }
      if (t - t0 < ms) return v.requestVideoFrameCallback(frame);
      if (state) B.press(0);
      done({ glass: of(glass), click: of(clicks), fps: Math.round(frames / (t - t0) * 10000) / 10, bad });
    };
    again();
    v.requestVideoFrameCallback(frame);
  });

  B.containerStats = () => {
    const s = B.stats || {};
    return { Stages: { draw: s.draw_ms || 0, convert: s.convert_ms || 0, encode: s.encode_ms || 0, send: s.send_ms || 0 }, Slack: s.slack_ms || 0 };
  };

  // the picture alone, one CSS px per probe px
  B.fill = () => new Promise(done => {
    const v = video();
    document.body.replaceChildren(v);
    v.style.cssText = 'position:fixed!important;left:0;top:0;width:640px!important;height:360px!important;max-width:none;opacity:1;display:block;object-fit:fill;border-radius:0;transform:none';
    v.play().catch(() => {});
    setTimeout(done, 600);
  });

  B.stop = async () => {
    for (const pc of B.pcs) pc.close();
    const m = performance.getEntriesByType('resource').map(e => e.name).filter(n => n.includes('/whep/'));
    if (B.location) await fetch(B.location, { method: 'DELETE' }).catch(() => {});
    return m.length;
  };

  // remember the session's resource, so that stop can end it
  const realFetch = window.fetch;
  window.fetch = async (...a) => {
    const isOffer = String(a[0]?.url || a[0]).includes('/whep/') && a[1]?.method === 'POST';
    if (isOffer) mark('post');
    const r = await realFetch(...a);
    if (isOffer && r.headers.get('Location')) B.location = new URL(r.headers.get('Location'), location.href).href;
    return r;
  };
})();
