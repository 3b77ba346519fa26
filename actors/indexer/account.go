package indexer

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/actors/indexer/match"
	"github.com/framemesh/framemesh/actors/supervise"
	"github.com/framemesh/framemesh/p2p/rpc"
	"github.com/framemesh/framemesh/p2p/seal"
	"github.com/framemesh/framemesh/p2p/wire"
)

// AccountProtocol is the name of the RPC by which a container learns what became of it.
const AccountProtocol = "match/account"

// accountLimits are small: a question comes when a person asks one.
var accountLimits = rpc.Limits{MaxRequest: maxQuestion + 16, MaxResponse: MaxAccount, Timeout: 5 * time.Second, PerPeerRate: 1, Burst: 10, MaxConcurrent: 8}

// Bounds of an account.
const (
	// MaxAccount is the longest answer, in bytes.
	MaxAccount  = 4 << 10
	maxQuestion = 512
	maxRefused  = 200 // bytes of why an ad was refused
	maxUnproven = 400
	maxAppName  = 64
	keptRefused = 4096 // containers whose last refused ad is remembered

	// questionAge is how far the clocks of who asks and who answers may be apart.
	questionAge = 5 * time.Minute
)

// Messages about accounts.
type (
	accountAsked struct{ of peer.ID } // answered with *wire.AccountResponse
	adRefused    struct {
		from peer.ID
		why  string
	}
)

// refusals remember of each container why its last ad did not count.
type refusals = simplelru.LRU[peer.ID, refusedAd]

type refusedAd struct {
	why string
	at  uint64 // unix ms
}

func newRefusals() *refusals {
	l, err := simplelru.NewLRU[peer.ID, refusedAd](keptRefused, nil)
	if err != nil {
		panic("indexer: " + err.Error()) // only for a size below 1, and it is a constant
	}
	return l
}

// Account answers what became of a container in the last matches; it is the handler of the
// account protocol. A container may ask about itself alone: by its connection, or from
// anywhere by a question that its key has sealed for this indexer. Errors are *rpc.Error.
func (ix *Indexer) Account(ctx context.Context, from peer.ID, req *wire.AccountRequest) (*wire.AccountResponse, error) {
	of := from
	if len(req.GetQuestion()) > 0 {
		var err error
		if of, err = ix.question(req.GetQuestion()); err != nil {
			return nil, err
		}
	}
	out, err := supervise.Ask[*wire.AccountResponse](ctx, ix.ref, accountAsked{of})
	if err != nil {
		return nil, ix.refusal(err)
	}
	return out, nil
}

// question opens a sealed question and says whose it is.
func (ix *Indexer) question(sealed []byte) (peer.ID, error) {
	var q wire.AccountQuestion
	signer, err := seal.Open(ix.opts.Network, seal.TypeAccount, sealed, maxQuestion, &q)
	switch {
	case err != nil:
		return "", rpc.Errorf(wire.Code_UNAUTHORISED, "%v; ask with the container's own key", err)
	case string(q.GetContainer()) != string(signer):
		return "", rpc.Errorf(wire.Code_UNAUTHORISED, "a container may ask about itself alone; `framemesh why` on the machine that has its key")
	case string(q.GetIndexer()) != string(ix.id):
		return "", rpc.Errorf(wire.Code_UNAUTHORISED, "the question is for another indexer; ask that one")
	}
	age := ix.opts.Now().Sub(time.UnixMilli(int64(min(q.GetMadeMs(), 1<<50))))
	if age > questionAge || age < -questionAge {
		return "", rpc.Errorf(wire.Code_EXPIRED, "by this indexer's clock the question was made %v ago; set the clock", age.Round(time.Second))
	}
	return signer, nil
}

// NewAccountRequest seals a container's question for one indexer; k is the container's key.
func NewAccountRequest(network string, k crypto.PrivKey, indexer peer.ID, now time.Time) (*wire.AccountRequest, error) {
	id, err := peer.IDFromPrivateKey(k)
	if err != nil {
		return nil, fmt.Errorf("indexer: %w", err)
	}
	q := &wire.AccountQuestion{Container: []byte(id), Indexer: []byte(indexer), MadeMs: uint64(max(now.UnixMilli(), 0))}
	sealed, err := seal.Seal(network, seal.TypeAccount, q, k)
	if err != nil {
		return nil, fmt.Errorf("indexer: %w", err)
	}
	return &wire.AccountRequest{Question: sealed}, nil
}

// account is the actor's answer.
func (s *state) account(of peer.ID) *wire.AccountResponse {
	now := s.now()
	a := s.table.Account(now, of)
	out := &wire.AccountResponse{NowMs: now, SinceMs: max(a.SinceMS, s.began), Containers: uint32(s.table.Len()), Proven: uint32(s.table.Proven()),
		Held: a.Held, SeqMs: a.SeqMS, ExpiresMs: a.ExpiresMS, Asked: a.Asked, Lacked: a.Lacked, Passed: a.Passed, Named: a.Named, First: a.First,
		Unproven: cut(a.Unproven, maxUnproven)}
	if r, ok := s.refused.Peek(of); ok && r.at > a.SeqMS {
		out.Refused, out.RefusedMs = r.why, r.at
	}
	for _, o := range a.Outs {
		out.Outs = append(out.Outs, &wire.FilterOuts{Filter: o.Filter, Times: o.Times, Mine: o.Mine, Least: o.Least, Most: o.Most})
	}
	if r := a.Ranked; r.AtMS > 0 {
		out.Ranked, out.Best = ranking(r), ranking(*r.Best)
	}
	for _, w := range a.Wanted {
		out.Wanted = append(out.Wanted, &wire.WantedApp{Sha256: w.App[:], Name: cut(nameIn(s.table.Holder(w.App), w.App), maxAppName), Asked: w.Asked})
	}
	return out
}

func ranking(r match.Ranked) *wire.Ranking {
	return &wire.Ranking{AtMs: r.AtMS, Place: r.Place, Of: r.Of, Ready: uint32(r.Ready), Score: r.Score, Parts: r.Parts.Wire()}
}

// nameIn is the name that an ad gives an app; "" for none.
func nameIn(sealed []byte, app [32]byte) string {
	payload, err := seal.Payload(sealed)
	if err != nil {
		return ""
	}
	var ad wire.Ad
	if proto.Unmarshal(payload, &ad) != nil {
		return ""
	}
	for _, a := range ad.GetApps() {
		if string(a.GetSha256()) == string(app[:]) {
			return a.GetName()
		}
	}
	return ""
}

// remind notes why an ad did not count.
func (s *state) remind(from peer.ID, why string) {
	s.refused.Add(from, refusedAd{cut(why, maxRefused), s.now()})
}

// cut shortens a text to so many bytes, between two letters.
func cut(s string, most int) string {
	s = strings.ToValidUTF8(s, "")
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}
