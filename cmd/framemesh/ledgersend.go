package main

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/light"
	"github.com/framemesh/framemesh/ledger/state"
	"github.com/framemesh/framemesh/ledger/tx"
)

const (
	sendFor    = 2 * time.Minute // that a transaction is valid, by the time of blocks
	sendTries  = 5               // with another nonce
	sendAgain  = 4               // blocks without the transaction before it is submitted again
	sendLook   = 2 * time.Second // for a transaction while no block comes
	sendGrace  = 2 * time.Second // after its time has passed, for the last block to show it
	submitWait = 500 * time.Millisecond
)

// errVoid means that a transaction can no longer take effect.
var errVoid = errors.New("the transaction was in no block before its time had passed; nothing has changed")

// sendingLedger is what sending needs of a look at the ledger.
type sendingLedger interface {
	ledgerReader
	Submit(ctx context.Context, raw []byte) ([32]byte, error)
	Tx(ctx context.Context, hash [32]byte) (light.Inclusion, error)
	Wait(ctx context.Context, height uint64) error
	Head() light.Summary
}

var _ sendingLedger = (*light.Client)(nil)

// sender signs transactions and sees them into a block.
type sender struct {
	sendingLedger
	chain  string
	wait   bool // for the block
	told   io.Writer
	now    func() time.Time
	until  time.Duration
	look   time.Duration
	grace  time.Duration
	retake time.Duration
}

func newSender(l sendingLedger, chain string, wait bool, told io.Writer) *sender {
	return &sender{l, chain, wait, told, time.Now, sendFor, sendLook, sendGrace, submitWait}
}

// receipt is what became of a transaction.
type receipt struct {
	Hash      string `json:"hash"`
	Operation string `json:"operation"`
	Included  bool   `json:"included"`         // in a block, with proof
	Height    uint64 `json:"height,omitempty"` // of that block
	Fee       string `json:"fee,omitempty"`    // base units, burned
	Symbol    string `json:"symbol"`
}

// send signs body with k, for account when that is another, and returns once the
// transaction is proven to be in a block and to have taken effect; without wait, once a peer
// has taken it.
func (s *sender) send(ctx context.Context, k ed25519.PrivateKey, account key.Address, body *tx.Body) (receipt, error) {
	signer := key.Address(k.Public().(ed25519.PublicKey))
	if account != signer {
		body.Account = account[:]
	}
	r := receipt{Operation: tx.Name(body), Symbol: state.Symbol}
	for try := 1; ; try++ {
		acct, _, err := read(ctx, s, state.AccountKey(signer), state.DecodeAccount)
		if err != nil {
			return r, err
		}
		before := s.Head()
		body.Nonce = acct.Nonce
		body.ValidUntilMs = max(before.TimeMS, uint64(max(s.now().UnixMilli(), 0))) + uint64(s.until.Milliseconds())
		raw, err := tx.Sign(s.chain, k, body)
		if err != nil {
			return r, withHint(err, "--help of this command has examples")
		}
		err = s.deliver(ctx, raw, body.ValidUntilMs, &r)
		if !errors.Is(err, state.ErrNonce) || try == sendTries {
			return r, err
		}
		// Another transaction of the key is on its way. Once it is in a block, the nonce
		// that is read is the next one.
		look, cancel := context.WithTimeout(ctx, s.look)
		err = s.Wait(look, before.Height+1)
		cancel()
		if err != nil && ctx.Err() != nil {
			return r, err
		}
	}
}

// deliver submits a signed transaction, and again when it seems to have fallen out of the
// pools, until it is in a block or its time has passed by the time of blocks.
func (s *sender) deliver(ctx context.Context, raw []byte, untilMS uint64, r *receipt) error {
	hash, err := s.submit(ctx, raw)
	r.Hash = hex.EncodeToString(hash[:])
	if err != nil {
		return explainLedger(err)
	}
	if !s.wait {
		return nil
	}
	done := slow(s.told, "sent "+r.Hash+", waiting for the block")
	defer done()
	at := s.Head().Height
	for {
		h := s.Head()
		in, err := s.find(ctx, hash)
		if err == nil {
			r.Included, r.Height = true, in.Height
			if in.Code != 0 {
				return refusal(in.Code, in.Text)
			}
			return nil
		}
		if h.TimeMS > untilMS+uint64(s.grace.Milliseconds()) {
			return withHint(errVoid, "send it again")
		}
		if h.Height >= at+sendAgain {
			at = h.Height
			_, _ = s.Submit(ctx, raw) // refused when it is in a block that nobody has shown yet
		}
		look, cancel := context.WithTimeout(ctx, s.look)
		_ = s.Wait(look, h.Height+1)
		cancel()
		if ctx.Err() != nil {
			return withHint(fmt.Errorf("no longer waiting for %s, which is sent: %w", r.Hash, ctx.Err()),
				fmt.Sprintf("`framemesh ledger tx %s` until %s; it cannot take effect later", r.Hash, time.UnixMilli(int64(untilMS)).UTC().Format(time.TimeOnly+" MST")))
		}
	}
}

// find looks for a transaction once, for as long as one block may take.
func (s *sender) find(ctx context.Context, hash [32]byte) (light.Inclusion, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*s.look)
	defer cancel()
	return s.Tx(ctx, hash)
}

// submit gives a transaction to peers; one that is too busy is asked again.
func (s *sender) submit(ctx context.Context, raw []byte) (hash [32]byte, err error) {
	for range sendTries {
		hash, err = s.Submit(ctx, raw)
		if !errors.Is(err, light.ErrBusy) {
			return hash, err
		}
		select {
		case <-ctx.Done():
			return hash, ctx.Err()
		case <-time.After(s.retake):
		}
	}
	return hash, err
}

// refused is why the ledger did not do what a transaction asks.
type refused struct {
	rule *state.Rule
	text string
}

func (r *refused) Error() string { return "the ledger refuses: " + r.text }
func (r *refused) Unwrap() error { return r.rule }

// refusal puts a code into words. The words of a peer say what to try but are proven by
// nothing; the code's own are added when they lack them.
func refusal(code uint32, text string) error {
	for _, rule := range state.Rules() {
		if rule.Code != code {
			continue
		}
		own := strings.TrimPrefix(rule.Error(), "state: ")
		if text = strings.TrimPrefix(oneLine(text), "state: "); !strings.HasPrefix(text, own) {
			text = strings.TrimSuffix(own+": "+text, ": ")
		}
		err := error(&refused{rule, text})
		if !strings.Contains(text, ";") {
			err = withHint(err, "`framemesh wallet balance` and `framemesh ledger params` show what holds")
		}
		return err
	}
	return withHint(fmt.Errorf("the ledger refuses with code %d: %s", code, oneLine(text)), "a newer version of this program")
}

// oneLine keeps words from elsewhere from moving the cursor.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || (r >= 0x7f && r < 0xa0) || (r >= 0x200b && r <= 0x200f) || (r >= 0x2028 && r <= 0x202e) || (r >= 0x2060 && r <= 0x206f) || r == 0xfeff {
			return ' '
		}
		return r
	}, s)
}

// frm writes an amount with its unit.
func frm(v uint64) string { return amount.Amount(v).String() + " " + state.Symbol }
