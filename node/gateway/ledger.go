package gateway

import (
	"context"
	"encoding/hex"
	"net/http"
	"strconv"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"github.com/framemesh/framemesh/ledger/key"
)

// Ledger is what the page needs to know of the ledger that play is paid on.
type Ledger interface {
	// Status says where the ledger stands, from memory.
	Status(ctx context.Context) (LedgerStatus, error)
	// Account returns what an account has; one that was never paid has nothing.
	Account(ctx context.Context, a key.Address) (LedgerAccount, error)
	// Session returns what is held of a session.
	Session(ctx context.Context, container key.Node, session [16]byte) (LedgerSession, error)
}

// LedgerStatus is where the ledger stands.
type LedgerStatus struct {
	Chain  string
	Symbol string // of the money, such as FRM
	Height uint64
	Epoch  uint64
	PerUSD uint64 // base units that a dollar costs; 0 while no fresh quotes are known
	TxFee  uint64 // base units that each transaction costs
	Gift   uint64 // base units that a new player is given, where the gateway does
	TimeMS uint64 // of the newest block
	// CatchingUp is true while the node is not at the ledger's head yet.
	CatchingUp bool
}

// LedgerAccount is what an account has.
type LedgerAccount struct {
	Balance uint64 // base units
	Nonce   uint64 // of its next transaction
}

// Funder gives players money to play with, as a demo does. Fund may take as long as a
// block; it is called in its own goroutine and never holds up a launch.
type Funder interface {
	Fund(ctx context.Context, player key.Address) error
}

const (
	fundTimeout = 15 * time.Second
	maxFunding  = 16 // players that are given money at once; others go without
)

// fund asks for money for a player who has just pressed play.
func (s *Server) fund(player []byte) {
	if s.opt.Funder == nil || len(player) != key.Size {
		return
	}
	select {
	case s.funding <- struct{}{}:
	default:
		return
	}
	begun := s.errands.begin(func(ctx context.Context) {
		defer func() { <-s.funding }()
		ctx, cancel := context.WithTimeout(ctx, fundTimeout)
		defer cancel()
		if err := s.opt.Funder.Fund(ctx, key.Address(player)); err != nil {
			s.log.Warn("gateway: a player was given no money", "account", key.Address(player), "err", err)
		}
	})
	if !begun {
		<-s.funding
	}
}

// What the page may ask of accounts. Each question that is not answered from memory is one
// to the nodes that keep the ledger, which count it against this gateway.
const (
	accountEvery = time.Second / 15 // between two questions to the ledger, over time
	accountBurst = 60               // at once
	accountFresh = 500 * time.Millisecond
	maxAccounts  = 4096 // remembered
)

// accounts remembers what the ledger said of accounts, as long as its head is the same and
// it was a moment ago, and bounds how often it is asked.
type accounts struct {
	known *lru.Cache[key.Address, seenAccount]
	spare *rate.Limiter
}

type seenAccount struct {
	LedgerAccount
	height uint64
	at     time.Time
}

func newAccounts() *accounts {
	c, err := lru.New[key.Address, seenAccount](maxAccounts)
	if err != nil {
		panic(err) // only a size of zero fails
	}
	return &accounts{c, rate.NewLimiter(rate.Every(accountEvery), accountBurst)}
}

// get is what was heard of an account at that height a moment ago.
func (as *accounts) get(a key.Address, height uint64, now time.Time) (LedgerAccount, bool) {
	seen, ok := as.known.Get(a)
	return seen.LedgerAccount, ok && seen.height == height && now.Sub(seen.at) < accountFresh
}

func noLedger(w http.ResponseWriter) {
	invalid(w, http.StatusNotFound, "no-ledger", "This mesh has no ledger: everything in it is free.", "Just play.")
}

// getLedger says where the ledger stands. Amounts are decimal strings: JSON numbers of
// browsers end at 2⁵³.
func (s *Server) getLedger(w http.ResponseWriter, r *http.Request) {
	if s.opt.Ledger == nil {
		noLedger(w)
		return
	}
	ctx, cancel := deadline(r, stepTimeout)
	defer cancel()
	st, err := s.opt.Ledger.Status(ctx)
	if err != nil {
		s.failLedger(w, r, "ledger", err)
		return
	}
	gift := st.Gift
	if s.opt.Funder == nil {
		gift = 0
	}
	writeJSON(w, struct {
		Chain      string `json:"chain"`
		Symbol     string `json:"symbol"`
		Height     uint64 `json:"height"`
		Epoch      uint64 `json:"epoch"`
		PerUSD     string `json:"per_usd"`
		TxFee      string `json:"tx_fee"`
		Faucet     bool   `json:"faucet"`
		Gift       string `json:"gift"`
		CatchingUp bool   `json:"catching_up"`
		Proofs     bool   `json:"proofs"` // /api/proofs answers
	}{st.Chain, st.Symbol, st.Height, st.Epoch, decimal(st.PerUSD), decimal(st.TxFee), s.opt.Funder != nil, decimal(gift), st.CatchingUp, s.opt.Proofs != nil})
}

// getAccount says what an account has. Its name is a key in hex or an address.
func (s *Server) getAccount(w http.ResponseWriter, r *http.Request) {
	if s.opt.Ledger == nil {
		noLedger(w)
		return
	}
	a, err := parseAccount(r.PathValue("account"))
	if err != nil {
		invalid(w, http.StatusBadRequest, "invalid", "That is no account.", "Write its address, frm1…, or its key as 64 hex digits.")
		return
	}
	ctx, cancel := deadline(r, stepTimeout)
	defer cancel()
	st, err := s.opt.Ledger.Status(ctx)
	if err != nil {
		s.failLedger(w, r, "account", err)
		return
	}
	acct, known := s.accounts.get(a, st.Height, time.Now())
	if !known {
		if !s.mayLook(w, r) {
			return
		}
		if acct, err = s.opt.Ledger.Account(ctx, a); err != nil {
			s.failLedger(w, r, "account", err)
			return
		}
		s.accounts.known.Add(a, seenAccount{acct, st.Height, time.Now()})
	}
	writeJSON(w, struct {
		Address string `json:"address"`
		Balance string `json:"balance"`
		Nonce   string `json:"nonce"`
		TimeMS  uint64 `json:"time_ms"`
	}{a.String(), decimal(acct.Balance), decimal(acct.Nonce), st.TimeMS})
}

func parseAccount(s string) (key.Address, error) {
	if b, err := hex.DecodeString(s); err == nil && len(b) == key.Size {
		return key.Address(b), nil
	}
	return key.ParseAddress(s)
}

func decimal(v uint64) string { return strconv.FormatUint(v, 10) }

// failLedger says that the ledger did not answer; why is for the operator's log.
func (s *Server) failLedger(w http.ResponseWriter, r *http.Request, doing string, err error) {
	if r.Context().Err() != nil {
		return // the client left
	}
	s.log.Warn("gateway: the ledger does not answer", "doing", doing, "err", err)
	w.Header().Set("Retry-After", "2")
	invalid(w, http.StatusServiceUnavailable, "ledger", "The ledger does not answer just now.", "Try again in a few seconds.")
}
