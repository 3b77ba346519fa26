//go:build unix

package container_test

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"os"
	"testing"

	"github.com/framemesh/framemesh/actors/checker/audit"
	"github.com/framemesh/framemesh/actors/container"
	"github.com/framemesh/framemesh/actors/container/segments"
	"github.com/framemesh/framemesh/actors/purse"
	"github.com/framemesh/framemesh/gpu/app/games"
	"github.com/framemesh/framemesh/gpu/segment"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/proof"
	"github.com/framemesh/framemesh/p2p/rpc"
	"github.com/framemesh/framemesh/p2p/wire"
	"github.com/framemesh/framemesh/stream/player"
)

// notDrawn is the epoch in which nobody may audit.
const notDrawn = 6

var errNotDrawn = errors.New("this epoch's lot fell on others")

// proven begins a container that keeps the proof of its sessions, and a player who signs
// and presses keys. Audits are answered in all epochs but one.
func proven(t *testing.T, double segments.Double) (w *whole, p *player.Player, store *segments.Store, module []byte, owner [32]byte) {
	t.Helper()
	module, err := games.FS.ReadFile("latency/module.wasm")
	if err != nil {
		t.Fatal(err)
	}
	w = beginWith(t, module, func(o *container.Options) {
		raw, err := o.Key.Raw()
		if err != nil {
			t.Fatal(err)
		}
		if store, err = segments.Open(segments.Options{Dir: t.TempDir(), Chain: network, Key: ed25519.PrivateKey(raw), Double: double}); err != nil {
			t.Fatal(err)
		}
		o.Segments = store
		o.Audits = func(_ context.Context, _ key.Node, epoch uint64, _ [16]byte) error {
			if epoch == notDrawn {
				return errNotDrawn
			}
			return nil
		}
	})
	k := ed25519.NewKeyFromSeed([]byte("a player's seed of 32 bytes long"))
	witness, err := purse.NewWitness(network, k)
	if err != nil {
		t.Fatal(err)
	}
	owner = [32]byte(k[ed25519.SeedSize:])
	public := hex.EncodeToString(owner[:])
	p = w.playWith("?player="+public, player.Options{Key: public, Witness: witness, RandomInput: true, Seed: 3})
	return w, p, store, module, owner
}

// ask is what a checker does.
func (w *whole) ask(req *wire.AuditRequest) (*proof.Opened, error) {
	var resp wire.AuditResponse
	if err := w.client.Reading(proof.MaxAudit).Call(w.Context(), w.self, container.AuditProtocol, req, &resp); err != nil {
		return nil, err
	}
	return proof.Open(network, resp.GetStatement())
}

// audited asks for five seconds and judges the answer. A player on a machine that is busy with
// other things may be too late with its word for some seconds: then it asks for later ones, in
// a later epoch, since one checker has one audit a minute in each.
func (w *whole) audited(p *player.Player, store *segments.Store, module []byte, owner [32]byte) (f audit.Finding, file *proof.File) {
	w.Helper()
	id, judge := sessionOf(w.T, p), segment.Auditor{CacheDir: w.TempDir()}
	for n := range uint32(6) {
		t := audit.Terms{Chain: network, Container: store.Node(), Session: id, App: w.app.SHA256, Owner: owner, From: n * segment.StateEvery, Seconds: 5, Epoch: uint64(notDrawn + 1 + n)}
		var answer *proof.Opened
		w.await("an answer about five seconds", func() (ok bool) {
			if _, err := store.Data(w.Context(), id, t.From, 9); err != nil { // the words for the first five have come by then
				return false
			}
			var err error
			answer, err = w.ask(&wire.AuditRequest{Session: id[:], From: t.From, Seconds: t.Seconds, Epoch: t.Epoch})
			return err == nil
		})
		var err error
		if f, file, err = audit.Audit(w.Context(), t, answer, module, judge); err != nil {
			w.Fatal(err)
		}
		if f.Outcome != audit.Unproven {
			break
		}
		w.Logf("from second %d: %s", t.From, f.Text)
	}
	return f, file
}

// A session with a real worker, over WebRTC, is played by a player who signs, and holds
// before a checker who replays it. Strangers and the hasty are turned away.
func TestWholeSessionHoldsBeforeAnAudit(t *testing.T) {
	if testing.Short() {
		t.Skip("plays for half a minute, and a player who cannot keep up leaves inputs unsigned")
	}
	w, p, store, module, owner := proven(t, segments.Honest)
	f, file := w.audited(p, store, module, owner)
	if f.Outcome != audit.Equal || file != nil || f.Seconds != 5 || f.Inputs.Proven < 5 {
		t.Errorf("%v: %s %+v", f.Outcome, f.Text, f)
	}
	id := sessionOf(t, p)
	const epoch = 99
	w.await("an answer", func() bool {
		_, err := w.ask(&wire.AuditRequest{Session: id[:], Seconds: 5, Epoch: epoch})
		return err == nil
	})
	for name, c := range map[string]struct {
		req  *wire.AuditRequest
		code wire.Code
	}{
		"too soon":        {&wire.AuditRequest{Session: id[:], Seconds: 4, Epoch: epoch}, wire.Code_BUSY},
		"not drawn":       {&wire.AuditRequest{Session: id[:], Seconds: 5, Epoch: notDrawn}, wire.Code_UNAUTHORISED},
		"no session":      {&wire.AuditRequest{Session: id[:15], Seconds: 5, Epoch: epoch}, wire.Code_INVALID},
		"another session": {&wire.AuditRequest{Session: make([]byte, 16), Seconds: 5, Epoch: epoch}, wire.Code_NOT_FOUND},
	} {
		_, err := w.ask(c.req)
		var e *rpc.Error
		if !errors.As(err, &e) || e.Code != c.code && e.Code != wire.Code_BUSY {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := p.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.await("the session's quality", func() bool {
		q, err := segments.ReadQuality(store.Dir(), hex.EncodeToString(id[:]))
		return err == nil && q.Receipts >= 5 && q.FirstFrameMS > 0 && q.FPSMilli > 0
	})
	if os.Getenv("CI") == "" {
		q, _ := segments.ReadQuality(store.Dir(), hex.EncodeToString(id[:]))
		t.Logf("quality: %+v", q)
	}
}

// A container that plays along with its player's keys is found out by the player's word.
func TestWholeInventedInputsAreFound(t *testing.T) {
	w, p, store, module, owner := proven(t, segments.Invent)
	f, file := w.audited(p, store, module, owner)
	if f.Outcome != audit.Wrong || f.Field != audit.FieldPlayer || file == nil {
		t.Fatalf("%v: %s %+v", f.Outcome, f.Text, f)
	}
	v, err := audit.VerifyFile(t.Context(), file, func([32]byte) ([]byte, error) { return module, nil }, segment.Auditor{})
	if err != nil || !v.Guilty {
		t.Errorf("the file says %+v, %v", v, err)
	}
}
