package player

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/framemesh/framemesh/stream/control"
	"github.com/framemesh/framemesh/stream/sdpfrag"
	"github.com/framemesh/framemesh/stream/whep"
)

// Errors of a player. A refusal of the gateway is a [*whep.Problem].
var (
	ErrAnswer   = errors.New("player: the gateway's answer cannot be used")
	ErrVerify   = errors.New("player: the answer was not made by the container; the gateway may sit in the middle, try another one")
	ErrTerms    = errors.New("player: what the container wants to be paid does not hold; play on another one")
	ErrNoFrame  = errors.New("player: no picture came")
	ErrStopped  = errors.New("player: stopped")
	errNoURL    = errors.New("player: options need the URL of a WHEP endpoint")
	errRedirect = errors.New("player: the session's location is on another host")
)

const maxBody = 256 << 10 // bytes of an HTTP answer

// Options say what to play and how.
type Options struct {
	URL        string       // of the WHEP endpoint, with its query: http://host/whep/{app}?…
	HTTPClient *http.Client // nil: http.DefaultClient
	Log        *slog.Logger // nil: silent

	// Verify is called with the exact offer and answer and the answer's headers before
	// anything is connected. An error refuses the session.
	Verify func(offer, answer string, header http.Header) error
	// OnNotice is called for each notice and bye, from the player's goroutine.
	OnNotice func(code, text string)
	// OnMessage is called for each control message, notices and byes among them.
	OnMessage func(control.Message)

	// RandomInput presses keys, as somebody would who does not know the game.
	RandomInput bool
	// Seed makes RandomInput repeatable.
	Seed uint64
	// NoSlack leaves out the reports that lock the app's tick to the display.
	NoSlack bool
	// NoChannels plays as a plain WHEP player does, with neither input nor control.
	NoChannels bool
	// Discreet behaves as the page does where nobody would otherwise see a difference but
	// the container: it presses keys like a person, says on the control channel what a page
	// says unasked, and names its connection as a browser does, for which it cannot Restart.
	Discreet bool
	// FirstCell is in how long after the first picture a discreet player asks for challenge
	// cells; 0 = at random, as pages do.
	FirstCell time.Duration
	// OnCell is called when it asked, OnPicture with each picture that decodes (an access
	// unit that is valid for the call) and OnInput when a key has changed, each from one
	// goroutine of its own, which must not be held up for long.
	OnCell    func(nonce [8]byte, at time.Time)
	OnPicture func(au []byte, at time.Time)
	OnInput   func(at time.Time)
	// Key is the player's Ed25519 public key in hex, for the hello and the launch.
	Key string
	// Payer pays for sessions that cost something; nil pays nothing, so that the app is
	// paused when the container's credit is used up.
	Payer Payer
	// Witness signs what is sent and seen; nil signs nothing, so that nobody can tell
	// which inputs were this player's.
	Witness Witness
}

// Player is one peer connection to a session.
type Player struct {
	opt      Options
	pc       *webrtc.PeerConnection
	header   http.Header
	location *url.URL
	tally    tally
	inputs   *inputs
	control  *webrtc.DataChannel
	display  *display
	talking  chan struct{}        // closed when the control channel is open
	bills    chan control.Message // the container's words on money, for the payer
	paid     atomic.Bool          // the session is
	leaving  atomic.Bool          // it ends: no second more is promised

	mu       sync.Mutex // guards the signalling state, and that nothing begins after done
	etag     string
	answer   string
	trickled []string // found before the location was known

	gathered  <-chan struct{}
	told      chan struct{} // closed when the gateway has the candidates that were found
	shown     chan struct{} // closed with the first frame
	done      chan struct{} // closed by Stop
	stopOnce  sync.Once
	stopErr   error
	wg        sync.WaitGroup
	ctx       context.Context // of everything that runs besides Play
	cancelCtx context.CancelFunc
}

// Play starts or joins a session and returns when the answer is verified and applied;
// media follow. The context bounds Play alone. Errors: [*whep.Problem] when the
// gateway refuses, [ErrAnswer], [ErrVerify], and those of HTTP.
func Play(ctx context.Context, opt Options) (*Player, error) {
	if opt.URL == "" {
		return nil, errNoURL
	}
	if opt.HTTPClient == nil {
		opt.HTTPClient = http.DefaultClient
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	p := &Player{opt: opt, shown: make(chan struct{}), told: make(chan struct{}), done: make(chan struct{}), talking: make(chan struct{}), bills: make(chan control.Message, 16)}
	p.ctx, p.cancelCtx = context.WithCancel(context.Background())
	p.tally.begun = time.Now()
	if err := p.start(ctx); err != nil {
		_ = p.Stop(ctx)
		return nil, err
	}
	return p, nil
}

func (p *Player) start(ctx context.Context) error {
	if err := p.connection(); err != nil {
		return err
	}
	o, err := p.pc.CreateOffer(nil)
	if err != nil {
		return fmt.Errorf("player: create offer: %w", err)
	}
	if err := p.pc.SetLocalDescription(o); err != nil {
		return fmt.Errorf("player: set offer: %w", err)
	}
	// The offer goes out as it is: whatever candidates are found later are trickled.
	offer := p.pc.LocalDescription().SDP
	if !p.opt.NoChannels {
		if offer, err = offerOf(offer); err != nil {
			return err
		}
	}
	if err := p.post(ctx, offer); err != nil {
		return err
	}
	if p.opt.Verify != nil {
		if err := p.opt.Verify(offer, p.answer, p.header); err != nil {
			return fmt.Errorf("%w: %w", ErrVerify, err)
		}
	}
	if p.opt.Payer != nil && p.control != nil {
		paid, err := p.opt.Payer.Terms(p.header)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrTerms, err)
		}
		p.paid.Store(paid)
	}
	if p.opt.Witness != nil && (p.control == nil || !p.opt.Witness.Begin(p.header)) {
		p.opt.Witness = nil
	}
	p.tally.mu.Lock()
	p.tally.answered = time.Now() // before the connection can begin
	p.tally.mu.Unlock()
	if err := p.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: p.answer}); err != nil {
		return fmt.Errorf("%w: %v", ErrAnswer, err)
	}
	p.wg.Go(func() {
		defer close(p.told)
		p.trickle()
	})
	if p.inputs != nil {
		p.inputs.witness = p.opt.Witness
		p.wg.Go(func() { p.inputs.run(p.ctx, p.opt) })
	}
	if p.paid.Load() {
		p.wg.Go(p.pay)
	}
	if p.opt.Witness != nil {
		p.wg.Go(p.attest)
	}
	if p.opt.Discreet && p.control != nil {
		p.wg.Go(p.behave)
	}
	if p.display != nil {
		p.wg.Go(func() { p.display.run(p.ctx) })
	}
	return nil
}

// post sends the offer and takes in the answer.
func (p *Player) post(ctx context.Context, offer string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.opt.URL, strings.NewReader(offer))
	if err != nil {
		return fmt.Errorf("player: %w", err)
	}
	req.Header.Set("Content-Type", whep.TypeSDP)
	req.Header.Set("Accept", whep.TypeSDP)
	if p.opt.Key != "" {
		req.Header.Set(whep.HeaderPlayer, p.opt.Key)
	}
	sent := time.Now()
	res, err := p.opt.HTTPClient.Do(req)
	if err != nil {
		return fmt.Errorf("player: %w; is the node running?", err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody+1))
	if err != nil {
		return fmt.Errorf("player: read answer: %w", err)
	}
	if res.StatusCode != http.StatusCreated {
		return problem(res, body)
	}
	if err := whep.CheckContentType(res.Header.Get("Content-Type"), whep.TypeSDP); err != nil || len(body) > maxBody {
		return fmt.Errorf("%w: %d bytes of %s", ErrAnswer, len(body), res.Header.Get("Content-Type"))
	}
	loc, err := req.URL.Parse(res.Header.Get("Location"))
	if err != nil || res.Header.Get("Location") == "" {
		return fmt.Errorf("%w: location %q", ErrAnswer, res.Header.Get("Location"))
	}
	if loc.Host != req.URL.Host || loc.Scheme != req.URL.Scheme {
		return fmt.Errorf("%w: %w: %s", ErrAnswer, errRedirect, loc.Host)
	}
	p.header, p.answer = res.Header, string(body)
	stages := whep.ParseServerTiming(strings.Join(res.Header.Values("Server-Timing"), ","))
	p.tally.mu.Lock()
	s := &p.tally.r.Stages
	s.Match, s.Reserve, s.Signal, s.Post = stages["match"], stages["reserve"], stages["signal"], time.Since(sent)
	p.tally.mu.Unlock()
	p.mu.Lock()
	p.location, p.etag = loc, res.Header.Get("ETag")
	p.mu.Unlock()
	return nil
}

// problem reads what a gateway says when it says no.
func problem(res *http.Response, body []byte) error {
	p := &whep.Problem{Status: res.StatusCode, Title: http.StatusText(res.StatusCode)}
	if t, _, err := mime.ParseMediaType(res.Header.Get("Content-Type")); err == nil && t == whep.TypeProblem {
		if err := json.Unmarshal(body, p); err != nil {
			p.Detail = "the gateway's explanation is malformed"
		}
		p.Status = res.StatusCode
	}
	return p
}

// Header is what came with the answer: session, container, role, tokens, certificate.
func (p *Player) Header() http.Header { return p.header }

// FirstFrame waits for the first complete key frame.
func (p *Player) FirstFrame(ctx context.Context) error {
	select {
	case <-p.shown:
		return nil
	case <-p.done:
		return ErrStopped
	case <-ctx.Done():
		r := p.Report()
		return fmt.Errorf("%w: connected %v, %d packets' worth of sound: %w", ErrNoFrame, r.Connected, r.AudioPackets, ctx.Err())
	}
}

// Restart restarts ICE, as after a change of network.
func (p *Player) Restart(ctx context.Context) error {
	// Candidates of the old path that come after the new one's would be taken for a restart.
	select {
	case <-p.told:
	case <-ctx.Done():
		return fmt.Errorf("player: restart: %w", ctx.Err())
	}
	o, err := p.pc.CreateOffer(&webrtc.OfferOptions{ICERestart: true})
	if err != nil {
		return fmt.Errorf("player: restart offer: %w", err)
	}
	gathered := webrtc.GatheringCompletePromise(p.pc)
	if err := p.pc.SetLocalDescription(o); err != nil {
		return fmt.Errorf("player: set restart offer: %w", err)
	}
	select {
	case <-gathered:
	case <-ctx.Done():
		return fmt.Errorf("player: restart: %w", ctx.Err())
	}
	f, err := sdpfrag.FromSDP(p.pc.LocalDescription().SDP)
	if err != nil {
		return fmt.Errorf("player: restart: %w", err)
	}
	status, body, etag, err := p.patch(ctx, f.String())
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return fmt.Errorf("%w: status %d to an ICE restart", ErrAnswer, status)
	}
	back, err := sdpfrag.Parse(body)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	p.mu.Lock()
	answer, err := back.Apply(p.answer)
	p.answer, p.etag = answer, etag
	p.mu.Unlock()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	if err := p.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}); err != nil {
		return fmt.Errorf("%w: %v", ErrAnswer, err)
	}
	return nil
}

// patch sends a fragment to the session's location.
func (p *Player) patch(ctx context.Context, fragment string) (status int, body, etag string, err error) {
	p.mu.Lock()
	loc, tag := p.location.String(), p.etag
	p.mu.Unlock()
	req, err := http.NewRequestWithContext(ctx, http.MethodPatch, loc, strings.NewReader(fragment))
	if err != nil {
		return 0, "", "", fmt.Errorf("player: %w", err)
	}
	req.Header.Set("Content-Type", whep.TypeFrag)
	if tag != "" {
		req.Header.Set("If-Match", tag)
	}
	res, err := p.opt.HTTPClient.Do(req)
	if err != nil {
		return 0, "", "", fmt.Errorf("player: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(io.LimitReader(res.Body, maxBody))
	if err != nil {
		return 0, "", "", fmt.Errorf("player: read fragment: %w", err)
	}
	if res.StatusCode >= 300 {
		return res.StatusCode, "", "", problem(res, b)
	}
	return res.StatusCode, string(b), res.Header.Get("ETag"), nil
}

// Leave closes the connection as a closed tab does: the container is not asked to end
// anything, so the session's grace period runs.
func (p *Player) Leave(ctx context.Context) error { return p.stop(ctx, false) }

// Stop ends the session (the owner's player) or leaves it (others) with DELETE and
// closes the connection. It may be called more than once, but from none of the functions
// of Options: none of them is called any more when it returns.
func (p *Player) Stop(ctx context.Context) error { return p.stop(ctx, true) }

func (p *Player) stop(ctx context.Context, del bool) error {
	p.stopOnce.Do(func() {
		if del {
			p.settleUp(ctx)
		}
		p.cancelCtx()
		p.mu.Lock()
		close(p.done)
		loc := p.location
		p.mu.Unlock()
		if del && loc != nil {
			p.stopErr = p.delete(ctx, loc.String())
		}
		if p.pc != nil {
			p.stopErr = errors.Join(p.stopErr, p.pc.GracefulClose())
		}
		p.wg.Wait()
	})
	return p.stopErr
}

func (p *Player) delete(ctx context.Context, loc string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodDelete, loc, nil)
	if err != nil {
		return fmt.Errorf("player: %w", err)
	}
	res, err := p.opt.HTTPClient.Do(req)
	if err != nil {
		return fmt.Errorf("player: stop: %w", err)
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, maxBody))
	_ = res.Body.Close()
	if res.StatusCode >= 300 && res.StatusCode != http.StatusNotFound && res.StatusCode != http.StatusGone {
		return fmt.Errorf("player: stop: status %d", res.StatusCode)
	}
	return nil
}
