// Package demo plays through a whole network by itself: a headless WebRTC player
// takes the same way as a browser's page, checks what a page checks, and reports
// what it measured.
package demo

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/framemesh/framemesh/actors/purse"
	"github.com/framemesh/framemesh/node/testnet"
	"github.com/framemesh/framemesh/stream/player"
)

// Launch is how long each part of a launch took, in ms. Match, reserve and signal are
// the gateway's figures, the rest is the player's clock.
type Launch struct {
	Match      float64 `json:"match"`
	Reserve    float64 `json:"reserve"`
	Signal     float64 `json:"signal"`
	Connect    float64 `json:"connect"`
	FirstFrame float64 `json:"first_frame"`
	Total      float64 `json:"total"`
}

// Report is what `framemesh demo --for … --json` prints.
type Report struct {
	Nodes       int     `json:"nodes"`
	Connections int     `json:"connections"`
	App         string  `json:"app"`
	Container   string  `json:"container"`
	Certificate bool    `json:"certificate_verified"`
	Answer      bool    `json:"answer_verified"`
	LaunchMS    Launch  `json:"launch_ms"`
	Frames      uint64  `json:"frames"`
	FPS         float64 `json:"fps"`
	Audio       uint64  `json:"audio_packets"`
	InputsSent  uint64  `json:"inputs_sent"`
	InputsAcked uint64  `json:"inputs_acked"`
	BitrateKbps float64 `json:"bitrate_kbps"`
	PacketsLost uint64  `json:"packets_lost"`
	LongestGap  float64 `json:"longest_gap_ms"`
	Encoder     string  `json:"encoder"`
	SlackMS     float64 `json:"slack_ms"`
	Ledger      *Ledger `json:"ledger,omitempty"` // absent in a network without one
	Proof       *Proof  `json:"proof,omitempty"`  // likewise, and where epochs are too short for rounds
	Cheat       *Caught `json:"cheat,omitempty"`  // where somebody was told to cheat
	// Left is what its player did about a machine that went in the middle of a paid game.
	Left   *purse.Left `json:"left,omitempty"`
	Errors []string    `json:"errors"`
}

// OK says whether everything worked.
func (r *Report) OK() bool { return len(r.Errors) == 0 }

// startTimeout bounds the wait for the first picture; a cold worker may compile.
const startTimeout = time.Minute

// Play plays app through the network's first gateway for the given time. trial follows a
// network in which somebody cheats; nil where all are honest.
func Play(ctx context.Context, n *testnet.Net, app string, dur time.Duration, trial *Trial) (r *Report) {
	began := time.Now()
	r = &Report{Nodes: len(n.Peers()), App: app, Errors: []string{}}
	fail := func(err error) { r.Errors = append(r.Errors, err.Error()) }
	v := &purse.Verifier{Network: n.Network()}
	var money *purse.Purse
	var gateway *purse.Gateway
	var left <-chan *purse.Left // closed, and nil where nobody pays
	o := player.Options{URL: n.URL() + "whep/" + url.PathEscape(app) + trial.query(), RandomInput: true, Seed: 1, Verify: v.Verify}
	var height uint64
	if n.Genesis() != nil {
		var witness *purse.Witness
		var err error
		if money, witness, gateway, err = newPurse(ctx, n); err != nil {
			fail(err)
			return r
		}
		o.Payer, o.Witness, o.Key, height = money, witness, money.PlayerKey(), n.Chain().Head().Height
	}
	defer trial.Ask(ctx, app)()
	start, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	p, err := player.Play(start, o)
	r.Certificate, r.Answer, r.Container = v.Certificate, v.Answer, v.Container.String()
	if err != nil {
		fail(err)
		return r
	}
	var firstFrame time.Time
	if err := p.FirstFrame(start); err != nil {
		fail(fmt.Errorf("no first picture: %w", err))
	} else {
		firstFrame = time.Now()
		watch, done := context.WithTimeout(ctx, dur)
		defer done()
		if money != nil {
			left = missed(ctx, watch, p, money, gateway)
		}
		select {
		case <-time.After(dur):
		case <-ctx.Done():
			fail(fmt.Errorf("ended early: %w", context.Cause(ctx)))
		}
	}
	r.Connections = n.Connections()
	r.fill(p.Report())
	stop, cancelStop := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second+settleTimeout)
	defer cancelStop()
	if err := p.Stop(stop); err != nil && !trial.vanishes() {
		fail(fmt.Errorf("ending the session: %w", err))
	}
	if left != nil {
		r.Left = <-left
	}
	if trial.vanishes() {
		r.Errors, money = []string{}, nil // of a game that ended in the middle, and that nobody settled
		r.Errors = append(r.Errors, trial.left(r.Left)...)
	}
	r.judge(dur)
	if money != nil {
		var err error
		if r.Ledger, err = settlement(stop, n, money.Address(), height); err != nil {
			fail(err)
		} else {
			r.Errors = append(r.Errors, r.Ledger.judge(money.Report(), firstFrame)...)
		}
	}
	if r.Proof, err = proofs(stop, n); err != nil {
		fail(err)
	} else if r.Proof != nil && trial == nil {
		r.Errors = append(r.Errors, r.Proof.judge(n, began)...)
	}
	if trial != nil {
		c, err := trial.Look(stop)
		if err != nil {
			fail(err)
		}
		r.Cheat = &c
		r.Errors = append(r.Errors, c.judge()...)
	}
	return r
}

func (r *Report) fill(p player.Report) {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	s := p.Stages
	r.LaunchMS = Launch{ms(s.Match), ms(s.Reserve), ms(s.Signal), ms(s.Connect), ms(s.FirstFrame), ms(s.Total)}
	r.Frames, r.FPS, r.Audio = p.Decodable, p.FPS, p.AudioPackets
	r.InputsSent, r.InputsAcked, r.BitrateKbps = p.InputsSent, p.InputsAcked, p.BitrateKbps
	r.PacketsLost, r.LongestGap, r.Encoder, r.SlackMS = p.PacketsLost, ms(p.LongestGap), p.Welcome.Encoder, p.SlackMS
	r.Errors = append(r.Errors, p.Errors...)
	if p.Bye != nil {
		r.Errors = append(r.Errors, "the container ended the session: "+p.Bye.Text)
	}
}

// judge adds what did not happen. Its thresholds tell playing from not playing; they
// are no measure of quality.
func (r *Report) judge(dur time.Duration) {
	for _, c := range []struct {
		bad  bool
		what string
	}{
		{!r.Certificate, "the match certificate was not verified"},
		{!r.Answer, "the container's answer was not verified"},
		{r.Frames == 0, "no picture came"},
		{r.Audio == 0, "no sound came"},
		{dur >= time.Second && r.InputsSent == 0, "no input was sent"},
		{r.InputsSent > 0 && r.InputsAcked == 0, "no input was acknowledged"},
	} {
		if c.bad {
			r.Errors = append(r.Errors, c.what)
		}
	}
}
