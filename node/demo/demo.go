// Package demo plays through a whole network by itself: a headless WebRTC player
// takes the same way as a browser's page, checks what a page checks, and reports
// what it measured.
package demo

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/pion/sdp/v3"

	"github.com/framemesh/framemesh/actors/indexer/match"
	"github.com/framemesh/framemesh/actors/purse"
	"github.com/framemesh/framemesh/node/testnet"
	"github.com/framemesh/framemesh/p2p/seal"
	"github.com/framemesh/framemesh/p2p/wire"
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
	Nodes       int      `json:"nodes"`
	Connections int      `json:"connections"`
	App         string   `json:"app"`
	Container   string   `json:"container"`
	Certificate bool     `json:"certificate_verified"`
	Answer      bool     `json:"answer_verified"`
	LaunchMS    Launch   `json:"launch_ms"`
	Frames      uint64   `json:"frames"`
	FPS         float64  `json:"fps"`
	Audio       uint64   `json:"audio_packets"`
	InputsSent  uint64   `json:"inputs_sent"`
	InputsAcked uint64   `json:"inputs_acked"`
	BitrateKbps float64  `json:"bitrate_kbps"`
	PacketsLost uint64   `json:"packets_lost"`
	LongestGap  float64  `json:"longest_gap_ms"`
	Encoder     string   `json:"encoder"`
	SlackMS     float64  `json:"slack_ms"`
	Ledger      *Ledger  `json:"ledger,omitempty"` // absent in a network without one
	Proof       *Proof   `json:"proof,omitempty"`  // likewise, and where epochs are too short for rounds
	Errors      []string `json:"errors"`
}

// OK says whether everything worked.
func (r *Report) OK() bool { return len(r.Errors) == 0 }

// startTimeout bounds the wait for the first picture; a cold worker may compile.
const startTimeout = 30 * time.Second

// Play plays app through the network's first gateway for the given time.
func Play(ctx context.Context, n *testnet.Net, app string, dur time.Duration) (r *Report) {
	r = &Report{Nodes: len(n.Peers()), App: app, Errors: []string{}}
	fail := func(err error) { r.Errors = append(r.Errors, err.Error()) }
	v := &verifier{network: n.Network()}
	var money *purse.Purse
	o := player.Options{URL: n.URL() + "whep/" + url.PathEscape(app), RandomInput: true, Seed: 1, Verify: v.verify}
	var height uint64
	if n.Genesis() != nil {
		var err error
		if money, err = newPurse(ctx, n); err != nil {
			fail(err)
			return r
		}
		o.Payer, o.Key, height = money, money.PlayerKey(), n.Chain().Head().Height
	}
	start, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	p, err := player.Play(start, o)
	r.Certificate, r.Answer, r.Container = v.certificate, v.answer, v.container
	if err != nil {
		fail(err)
		return r
	}
	var firstFrame time.Time
	if err := p.FirstFrame(start); err != nil {
		fail(fmt.Errorf("no first picture: %w", err))
	} else {
		firstFrame = time.Now()
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
	if err := p.Stop(stop); err != nil {
		fail(fmt.Errorf("ending the session: %w", err))
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
	} else if r.Proof != nil {
		r.Errors = append(r.Errors, r.Proof.judge()...)
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

// verifier checks what the player page checks.
type verifier struct {
	network             string
	container           string
	certificate, answer bool
}

var errProof = errors.New("demo: the answer is not the one that the matched container signed")

func (v *verifier) verify(offer, answer string, h http.Header) error {
	cert, err := base64.StdEncoding.DecodeString(h.Get("Framemesh-Certificate"))
	if err != nil {
		return fmt.Errorf("demo: certificate: %w", err)
	}
	c, err := match.Verify(cert, v.network)
	if err != nil {
		return fmt.Errorf("demo: certificate: %w", err)
	}
	v.container = h.Get("Framemesh-Container")
	id, err := peer.Decode(v.container)
	if err != nil {
		return fmt.Errorf("demo: container id: %w", err)
	}
	named := false
	for _, ch := range c.Top {
		named = named || peer.ID(ch.Container) == id
	}
	if !named {
		return errors.New("demo: the certificate does not name the container that answered")
	}
	v.certificate = true
	sealed, err := base64.StdEncoding.DecodeString(h.Get("Framemesh-Proof"))
	if err != nil {
		return fmt.Errorf("demo: proof: %w", err)
	}
	var proof wire.AnswerProof
	signer, err := seal.Open(v.network, "answer", sealed, 4<<10, &proof)
	if err != nil {
		return fmt.Errorf("demo: proof: %w", err)
	}
	fp, err := fingerprint(answer)
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(offer))
	if signer != id || peer.ID(proof.Container) != id || string(proof.OfferSha256) != string(sum[:]) ||
		string(proof.Fingerprint) != string(fp) || hex.EncodeToString(proof.SessionId) != h.Get("Framemesh-Session") {
		return errProof
	}
	v.answer = true
	return nil
}

// fingerprint returns the SHA-256 DTLS fingerprint of an SDP. All of them must agree:
// one per media section would let a second one through.
func fingerprint(text string) ([]byte, error) {
	var d sdp.SessionDescription
	if err := d.UnmarshalString(text); err != nil {
		return nil, fmt.Errorf("demo: answer: %w", err)
	}
	var found []string
	if f, ok := d.Attribute("fingerprint"); ok {
		found = append(found, f)
	}
	for _, m := range d.MediaDescriptions {
		for _, a := range m.Attributes {
			if a.Key == "fingerprint" {
				found = append(found, a.Value)
			}
		}
	}
	for _, f := range found {
		if f != found[0] {
			return nil, errProof
		}
	}
	if len(found) == 0 {
		return nil, errors.New("demo: the answer has no fingerprint")
	}
	algorithm, digits, _ := strings.Cut(found[0], " ")
	b, err := hex.DecodeString(strings.ReplaceAll(digits, ":", ""))
	if err != nil || !strings.EqualFold(algorithm, "sha-256") || len(b) != sha256.Size {
		return nil, fmt.Errorf("demo: fingerprint %.80q is not SHA-256", found[0])
	}
	return b, nil
}
