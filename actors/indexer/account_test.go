package indexer

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/p2p/rpc"
	"github.com/framemesh/framemesh/p2p/seal"
	"github.com/framemesh/framemesh/p2p/wire"
)

// account asks over the connection of a container.
func (s *scene) account(of peer.ID) *wire.AccountResponse {
	s.t.Helper()
	a, err := s.ix.Account(context.Background(), of, &wire.AccountRequest{})
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

func TestAContainerLearnsWhatBecameOfIt(t *testing.T) {
	s := newScene(t)
	cheap, dear := s.publish(2), s.publish(3)
	other := s.publish(4, func(a *wire.Ad) { a.Apps[0] = &wire.AppOffer{Sha256: bytes.Repeat([]byte{9}, 32), Name: "racer"} })
	if _, err := s.match(request()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		req := request()
		req.AppSha256 = bytes.Repeat([]byte{9}, 32)
		if _, err := s.match(req); err != nil {
			t.Fatal(err)
		}
	}
	a := s.account(dear)
	if !a.GetHeld() || a.GetContainers() != 3 || a.GetProven() != 3 || a.GetAsked() != 3 || a.GetLacked() != 2 || a.GetPassed() != 1 || a.GetFirst() != 0 ||
		a.GetNowMs() != uint64(start) || a.GetSinceMs() != uint64(start) || a.GetRanked().GetPlace() != 2 || a.GetRanked().GetOf() != 2 ||
		a.GetBest().GetParts().GetPrice() <= a.GetRanked().GetParts().GetPrice() {
		t.Errorf("the dear one: %v", a)
	}
	if w := a.GetWanted(); len(w) != 1 || w[0].GetName() != "racer" || w[0].GetAsked() != 2 {
		t.Errorf("what it lacks: %v", w)
	}
	if a := s.account(cheap); a.GetFirst() != 1 || a.GetRanked().GetPlace() != 1 {
		t.Errorf("the cheap one: %v", a)
	}
	if a := s.account(other); a.GetFirst() != 2 || len(a.GetWanted()) != 1 || a.GetWanted()[0].GetName() != "" {
		t.Errorf("the other one: %v", a)
	}
	if _, nobody := key(t, 99); s.account(nobody).GetHeld() {
		t.Error("an account of nobody")
	}
}

func TestAnAccountSaysWhyAnAdDoesNotCount(t *testing.T) {
	s := newScene(t, func(o *Options) { o.Stake = func(peer.ID) uint64 { return 5 } })
	liar := s.publish(2, func(a *wire.Ad) { a.Stake = 6 })
	if a := s.account(liar); a.GetHeld() || a.GetRefused() == "" || a.GetRefusedMs() != uint64(start) {
		t.Errorf("an ad that claims too much: %v", a)
	}
	s.nowM.Add(10)
	s.publish(2, func(a *wire.Ad) { a.Stake = 5 })
	if a := s.account(liar); !a.GetHeld() || a.GetRefused() != "" {
		t.Errorf("once it is right: %v", a)
	}
	bad := s.publish(3, func(a *wire.Ad) { a.SlotsFree = 9 })
	if a := s.account(bad); a.GetHeld() || a.GetRefused() == "" || len(a.GetRefused()) > maxRefused {
		t.Errorf("an ad that breaks a rule: %v", a)
	}
}

// The account of a container is for whoever has its key, and for nobody else.
func TestAccountsAreForTheirContainers(t *testing.T) {
	s := newScene(t)
	id := s.publish(2)
	k, _ := key(t, 2)
	stranger, strange := key(t, 3)
	now := time.UnixMilli(start)
	ask := func(req *wire.AccountRequest) (*wire.AccountResponse, error) {
		return s.ix.Account(context.Background(), strange, req)
	}
	question := func(network string, k crypto.PrivKey, q *wire.AccountQuestion) *wire.AccountRequest {
		b, err := seal.Seal(network, seal.TypeAccount, q, k)
		if err != nil {
			t.Fatal(err)
		}
		return &wire.AccountRequest{Question: b}
	}
	req, err := NewAccountRequest(testNet, k, s.ix.id, now)
	if err != nil {
		t.Fatal(err)
	}
	if a, err := ask(req); err != nil || !a.GetHeld() {
		t.Errorf("with the container's key: %v, %v", a, err)
	}
	if a, err := ask(&wire.AccountRequest{}); err != nil || a.GetHeld() {
		t.Errorf("a stranger about itself: %v, %v", a, err)
	}
	ms := uint64(start)
	for name, c := range map[string]struct {
		req  *wire.AccountRequest
		want error
	}{
		"another's key":   {question(testNet, stranger, &wire.AccountQuestion{Container: []byte(id), Indexer: []byte(s.ix.id), MadeMs: ms}), rpc.ErrUnauthorised},
		"another network": {question("other", k, &wire.AccountQuestion{Container: []byte(id), Indexer: []byte(s.ix.id), MadeMs: ms}), rpc.ErrUnauthorised},
		"another indexer": {question(testNet, k, &wire.AccountQuestion{Container: []byte(id), Indexer: []byte(strange), MadeMs: ms}), rpc.ErrUnauthorised},
		"long ago":        {question(testNet, k, &wire.AccountQuestion{Container: []byte(id), Indexer: []byte(s.ix.id), MadeMs: ms - 301_000}), rpc.ErrExpired},
		"to come":         {question(testNet, k, &wire.AccountQuestion{Container: []byte(id), Indexer: []byte(s.ix.id), MadeMs: 1<<64 - 1}), rpc.ErrExpired},
		"junk":            {&wire.AccountRequest{Question: []byte("junk")}, rpc.ErrUnauthorised},
		"too long":        {&wire.AccountRequest{Question: make([]byte, maxQuestion+1)}, rpc.ErrUnauthorised},
	} {
		if _, err := ask(c.req); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// The longest account there can be fits into an answer.
func TestTheLongestAccountFits(t *testing.T) {
	most := &wire.Ranking{AtMs: 1 << 50, Place: 1 << 31, Of: 1 << 31, Ready: 3, Score: 1_000_000_000,
		Parts: &wire.ScoreParts{Price: 300_000_000, Latency: 350_000_000, Quality: 200_000_000, Idle: 100_000_000, Stake: 50_000_000}}
	a := &wire.AccountResponse{NowMs: 1 << 50, SinceMs: 1 << 50, Containers: 1 << 31, Proven: 1 << 31, Held: true, SeqMs: 1 << 50, ExpiresMs: 1 << 50,
		Refused: cut(string(bytes.Repeat([]byte("ü"), 500)), maxRefused), RefusedMs: 1 << 50, Asked: 1 << 31, Lacked: 1 << 31, Passed: 1 << 31, Named: 1 << 31, First: 1 << 31,
		Ranked: most, Best: most, Unproven: string(bytes.Repeat([]byte("x"), maxUnproven))}
	for range 9 {
		a.Outs = append(a.Outs, &wire.FilterOuts{Filter: "unproven", Times: 1 << 31, Mine: 1 << 63, Least: 1 << 63, Most: 1 << 63})
	}
	for range 3 {
		a.Wanted = append(a.Wanted, &wire.WantedApp{Sha256: make([]byte, 32), Name: string(bytes.Repeat([]byte("x"), maxAppName)), Asked: 1 << 31})
	}
	if n := proto.Size(a); n > MaxAccount || len(a.Refused) > maxRefused {
		t.Errorf("%d bytes", n)
	}
}
