package state

import (
	"encoding/hex"
	"errors"

	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/quote"
	"github.com/framemesh/framemesh/ledger/tx"
	"github.com/framemesh/framemesh/ledger/voucher"
)

// Codes from 40: sessions and vouchers.
var (
	ErrContainer   = rule(40, "container", "the container takes no orders")
	ErrIndexer     = rule(41, "indexer", "no such indexer")
	ErrSessionUsed = rule(42, "session_used", "the session's name has been used")
	ErrPrice       = rule(43, "price", "no fresh price")
	ErrRate        = rule(44, "rate", "price and rate do not give that amount for a second")
	ErrSeconds     = rule(45, "seconds", "too many seconds")
	ErrNoSession   = rule(46, "no_session", "no such session")
	ErrStranger    = rule(47, "stranger", "neither player nor container of the session")
	ErrClosing     = rule(48, "closing", "the session is being closed")
	ErrOver        = rule(49, "session_over", "the session's time has passed")
	ErrReplay      = rule(50, "voucher_replay", "as much has been promised already")
	ErrOlder       = rule(51, "voucher_older", "the voucher promises less than one before it")
	ErrOverdrawn   = rule(53, "voucher_overdrawn", "the voucher promises more than the session holds or its seconds cost")
	ErrForged      = rule(54, "voucher_forged", "the voucher is not by the player for this session and network")
	ErrName        = rule(55, "session_name", "the session's name is not one for its player")
)

// MemoryEpochs is for how long the name of a settled session stays taken. The nonce of its
// order keeps anybody from opening it again by a copy of the order; the memory keeps the
// player from being led to sign a second order under the same name, for which the vouchers
// of the first would count. Names are 16 random bytes, so a player that keeps its key for
// longer than this and meets a name again has met a fraud: clients refuse names they have
// opened before.
const MemoryEpochs = 2_880

// sessionID is what a session is called in one state: its container and name.
type sessionID struct {
	container key.Node
	name      [tx.SessionSize]byte
}

func idOf(container, name []byte) sessionID {
	return sessionID{key.Node(container), [tx.SessionSize]byte(name)}
}

func (id sessionID) key() []byte     { return SessionKey(id.container, id.name) }
func (id sessionID) subject() []byte { return with("", id.container[:], id.name[:]) }
func (id sessionID) purse() purse    { return escrowOf(id.container, id.name) }
func (id sessionID) text() string    { return hex.EncodeToString(id.name[:]) }

// ReadSession is a session as it stands in r; ok is false when it is settled, expired or
// never was.
func ReadSession(r Reader, container key.Node, session [16]byte) (s Session, ok bool, err error) {
	return load(r, SessionKey(container, session), DecodeSession)
}

// session reads a session that a transaction is about. It refuses what is not there.
func (m *Machine) session(id sessionID) (Session, error) {
	s, ok, err := load(m.overlay, id.key(), DecodeSession)
	if err == nil && !ok {
		err = refuse(ErrNoSession, "%s of %s is settled, expired or was never opened; look for its settlement",
			id.text(), id.container)
	}
	return s, err
}

// ends is the epoch at whose beginning the session is settled without anybody's doing.
func (s Session) ends() (epoch uint64, kind dueKind) {
	if s.Phase == PhaseClosing {
		return s.Closes, dueSettle
	}
	return s.Expires, dueExpire
}

// Ending says whether a container had better settle the session in this epoch: its player
// closes it, or less than a whole epoch is left before it expires and nothing of it is paid
// any more. A session that is paused outlives its planned end, its escrow does not.
func (s Session) Ending(epoch uint64) bool { return s.Phase == PhaseClosing || epoch+2 >= s.Expires }

// notOver refuses what comes after the session's end. When much is due in one epoch the
// settlement may be some blocks late; who is quick gains nothing by it.
func (m *Machine) notOver(s Session, id sessionID) error {
	if at, _ := s.ends(); m.head.Epoch >= at {
		return refuse(ErrOver, "%s settles by itself since epoch %d; wait for the next blocks", id.text(), at)
	}
	return nil
}

func (m *Machine) applyOpen(c *txContext, op *tx.OpenSession) error {
	id := idOf(op.GetContainer(), op.GetSession())
	container, err := m.containerOf(id.container)
	if err != nil {
		return err
	}
	indexer, err := m.indexerOf(op)
	if err != nil {
		return err
	}
	if id.name != tx.SessionName(c.Account, [8]byte(id.name[:8])) {
		return refuse(ErrName, "%s at %s is not for %s; ask the container for a session of your own", id.text(), id.container, c.Account)
	}
	for _, k := range [][]byte{id.key(), UsedKey(id.container, id.name)} {
		if b, err := m.overlay.Get(k); err != nil {
			return err
		} else if b != nil {
			return refuse(ErrSessionUsed, "%s at %s; ask the container for a new session", id.text(), id.container)
		}
	}
	seconds := op.GetSeconds()
	if uint64(seconds) > m.params.SessionMaxSeconds {
		return refuse(ErrSeconds, "%d, at most %d; plan less and top up later", seconds, m.params.SessionMaxSeconds)
	}
	rate, err := m.rate(op)
	if err != nil {
		return err
	}
	total, err := economics.Cost(op.GetPerSecond(), uint64(seconds))
	if err != nil {
		return refuse(ErrSeconds, "%v", err)
	}

	s := Session{
		Player: c.Account, Owner: container.Owner, PerSecond: op.GetPerSecond(), Seconds: seconds,
		Price: op.GetPriceMicroUsdPerHour(), Rate: rate, Indexer: indexer, OpenedMS: m.head.TimeMS,
		// The planned end lies in the epoch that many further on, or before; then come
		// session_expiry_epochs whole ones.
		Expires: m.head.Epoch + economics.EpochsOf(uint64(seconds), m.params.EpochSeconds) + m.params.SessionExpiryEpochs + 1,
		Phase:   PhaseOpen,
	}
	if err := m.overlay.Set(id.key(), s.Encode()); err != nil {
		return err
	}
	if err := m.move(balanceOf(c.Account), id.purse(), total); err != nil {
		return err
	}
	if err := m.schedule(s.Expires, dueExpire, id.subject()); err != nil {
		return err
	}
	if err := m.compareQuotes(c, op); err != nil {
		return err
	}
	c.emit("session_opened", "container", id.container, "session", id.text(), "player", s.Player, "owner", s.Owner,
		"per_second", s.PerSecond, "seconds", s.Seconds, "escrow", total, "price", s.Price, "rate", s.Rate, "expires", s.Expires)
	return nil
}

// containerOf is a node that takes orders: registered as a container, staked, not jailed.
func (m *Machine) containerOf(id key.Node) (Node, error) {
	n, ok, err := m.node(id)
	if err != nil {
		return n, err
	}
	if !ok || !n.Roles.Has(economics.RoleContainer) {
		return n, refuse(ErrContainer, "%s is not registered as a container; play elsewhere", id)
	}
	s, err := m.stake(id)
	if err != nil {
		return n, err
	}
	if !m.active(&n, s) {
		return n, refuse(ErrContainer, "%s lacks the stake its roles need, or is jailed; play elsewhere", id)
	}
	return n, nil
}

// indexerOf is who led the player to the container. It must be registered: what an indexer
// earns by a paid session is drawn from the emission.
func (m *Machine) indexerOf(op *tx.OpenSession) (id key.Node, err error) {
	if len(op.GetIndexer()) == 0 {
		return id, nil
	}
	id = key.Node(op.GetIndexer())
	n, ok, err := m.node(id)
	if err != nil {
		return id, err
	}
	if !ok || !n.Roles.Has(economics.RoleIndexer) {
		return id, refuse(ErrIndexer, "%s is not registered as an indexer; name another or none", id)
	}
	return id, nil
}

// rate is the median of the order's quotes at the time of the block, and refuses an order
// whose amount for a second is not what price and rate give. The signatures of the quotes
// are verified with those of the transaction.
//
// The price itself may be any that the player signs, also another than the registered one,
// which only advertises: the container has sealed the price in its answer, and serves
// nobody whose order says less.
func (m *Machine) rate(op *tx.OpenSession) (uint64, error) {
	quotes, err := op.DecodedQuotes()
	if err != nil {
		return 0, refuse(ErrField, "%v", err)
	}
	rate, err := quote.Median(quotes, m.network.Oracles, m.head.TimeMS, m.params.OracleMaxAgeMS, int(m.params.OracleMin))
	if err != nil {
		return 0, refuse(ErrPrice, "%v", err)
	}
	perSecond, err := economics.PricePerSecond(op.GetPriceMicroUsdPerHour(), rate)
	if err != nil {
		return 0, refuse(ErrRate, "%v", err)
	}
	if perSecond != op.GetPerSecond() {
		return 0, refuse(ErrRate, "%d base units were signed and %d are right at %d for a dollar; recompute it from the quotes sent",
			op.GetPerSecond(), perSecond, rate)
	}
	return rate, nil
}

func (m *Machine) applyTopUp(c *txContext, op *tx.TopUp) error {
	id := idOf(op.GetContainer(), op.GetSession())
	s, err := m.session(id)
	if err != nil {
		return err
	}
	if err := m.notOver(s, id); err != nil {
		return err
	}
	switch {
	case c.Account != s.Player:
		return refuse(ErrStranger, "only the player adds to %s; open a session of your own", id.text())
	case s.Phase != PhaseOpen:
		return refuse(ErrClosing, "%s takes no more money; open a new session", id.text())
	case uint64(s.Seconds)+uint64(op.GetSeconds()) > m.params.SessionMaxSeconds:
		return refuse(ErrSeconds, "%d and %d more, at most %d in all; open another session afterwards",
			s.Seconds, op.GetSeconds(), m.params.SessionMaxSeconds)
	}
	more, err := economics.Cost(s.PerSecond, uint64(op.GetSeconds()))
	if err != nil {
		return refuse(ErrSeconds, "%v", err)
	}
	if err := m.unschedule(s.Expires, dueExpire, id.subject()); err != nil {
		return err
	}
	s.Seconds += op.GetSeconds()
	s.Expires += economics.EpochsOf(uint64(op.GetSeconds()), m.params.EpochSeconds)
	if err := m.overlay.Set(id.key(), s.Encode()); err != nil {
		return err
	}
	if err := m.move(balanceOf(c.Account), id.purse(), more); err != nil {
		return err
	}
	if err := m.schedule(s.Expires, dueExpire, id.subject()); err != nil {
		return err
	}
	c.emit("session_topped_up", "container", id.container, "session", id.text(), "player", s.Player,
		"added", more, "escrow", s.Escrow+more, "seconds", s.Seconds, "expires", s.Expires)
	return nil
}

func (m *Machine) applyClose(c *txContext, op *tx.CloseSession) error {
	id := idOf(op.GetContainer(), op.GetSession())
	s, err := m.session(id)
	if err != nil {
		return err
	}
	if err := m.notOver(s, id); err != nil {
		return err
	}
	byContainer := c.actsFor(id.container, s.Owner)
	if !byContainer && (c.Account != s.Player || c.Delegated()) {
		return refuse(ErrStranger, "%s is between %s and %s; only they close it", id.text(), s.Player, s.Owner)
	}
	if !byContainer && s.Phase == PhaseClosing {
		return refuse(ErrClosing, "%s settles at the beginning of epoch %d; wait for it", id.text(), s.Closes)
	}
	if v := op.GetVoucher(); v != nil {
		claim, err := m.present(&s, id, v)
		if err != nil {
			return err
		}
		if voucher.Verify(claim.Terms, claim.Voucher) != nil {
			return forged(claim)
		}
	}
	if byContainer {
		events, err := m.settle(id, s, endedByContainer)
		c.events = append(c.events, events...)
		return err
	}

	if err := m.unschedule(s.Expires, dueExpire, id.subject()); err != nil {
		return err
	}
	// The rest of this epoch and challenge_epochs whole ones.
	s.Phase, s.Closes, s.ClosingMS = PhaseClosing, m.head.Epoch+m.params.ChallengeEpochs+1, m.head.TimeMS
	if err := m.schedule(s.Closes, dueSettle, id.subject()); err != nil {
		return err
	}
	c.emit("session_closing", "container", id.container, "session", id.text(), "player", s.Player,
		"seconds", s.Covered, "paid", s.Paid, "closes", s.Closes)
	return m.overlay.Set(id.key(), s.Encode())
}

// applyBatchClose settles sessions of one container. It does so for all or for none: what a
// container puts together it has checked, and a transaction that half happened would have
// to be taken apart by everybody who reads it. Everything that can be refused is, before
// anything is written, and the signatures are verified together: a batch with a flaw costs
// its sender one fee and the node little more than a good one's signatures.
func (m *Machine) applyBatchClose(c *txContext, op *tx.BatchClose) error {
	all := make([]Session, len(op.GetSessions()))
	var claims []voucher.Claim
	var numbers []int // of the sessions with a voucher
	for i, one := range op.GetSessions() {
		v, err := m.closable(c, one, &all[i])
		if err != nil {
			return ofBatch(i, err)
		}
		if v != nil {
			claims, numbers = append(claims, *v), append(numbers, i)
		}
	}
	for n, err := range voucher.VerifyAll(claims) {
		if err != nil {
			return ofBatch(numbers[n], forged(claims[n]))
		}
	}
	for i, one := range op.GetSessions() {
		events, err := m.settle(idOf(one.GetContainer(), one.GetSession()), all[i], endedByContainer)
		if err != nil {
			return err
		}
		c.events = append(c.events, events...)
	}
	return nil
}

// closable reads a session that its container closes in a batch, with the voucher that
// comes with it taken over; its signature is left to be verified.
func (m *Machine) closable(c *txContext, op *tx.CloseSession, s *Session) (v *voucher.Claim, err error) {
	id := idOf(op.GetContainer(), op.GetSession())
	if *s, err = m.session(id); err != nil {
		return nil, err
	}
	if err := m.notOver(*s, id); err != nil {
		return nil, err
	}
	if !c.actsFor(id.container, s.Owner) {
		return nil, refuse(ErrStranger, "a batch is for the container; %s belongs to %s", id.container, s.Owner)
	}
	if op.GetVoucher() == nil {
		return nil, nil
	}
	claim, err := m.present(s, id, op.GetVoucher())
	return &claim, err
}

// ofBatch says in which session of a batch a refusal lies.
func ofBatch(i int, err error) error {
	var no *Error
	if errors.As(err, &no) {
		return &Error{Code: no.Code, Err: no.Err, Text: text(i+1) + " of the batch: " + no.Text + "; leave it out, nothing was settled"}
	}
	return err
}

// present checks a voucher against the session and takes it over; its signature is to be
// verified before anything is written. What counts is the money: a player owes the most that it has
// promised, and numbers and seconds are its own to choose. Whoever closed with a high number over a
// single second would else make worthless what the container holds. A voucher of another chain, container or session is
// not signed for this one and so counts as forged.
func (m *Machine) present(s *Session, id sessionID, p *tx.Voucher) (c voucher.Claim, err error) {
	v, err := voucher.FromTx(p)
	if err != nil {
		return c, refuse(ErrField, "%v", err)
	}
	most, err := economics.Cost(s.PerSecond, uint64(v.Seconds))
	switch {
	case v.Paid == s.Paid:
		return c, refuse(ErrReplay, "%s %s of %s; close without a voucher to accept it", amount.Amount(v.Paid), Symbol, id.text())
	case v.Paid < s.Paid:
		return c, refuse(ErrOlder, "%s %s after %s; present the last one", amount.Amount(v.Paid), Symbol, amount.Amount(s.Paid))
	case v.Seconds > s.Seconds || v.Paid > s.Escrow:
		return c, refuse(ErrOverdrawn, "%d seconds for %s %s, %s holds %d for %s; present one that fits",
			v.Seconds, amount.Amount(v.Paid), Symbol, id.text(), s.Seconds, amount.Amount(s.Escrow))
	case err != nil || v.Paid > most:
		return c, refuse(ErrOverdrawn, "%s %s for %d seconds that cost %s; present one that fits",
			amount.Amount(v.Paid), Symbol, v.Seconds, amount.Amount(most))
	}
	s.Seq, s.Covered, s.Paid = v.Seq, v.Seconds, v.Paid
	return voucher.Claim{Voucher: v, Terms: voucher.Terms{
		Chain: m.network.Chain, Container: id.container, Session: id.name,
		Player: s.Player, PerSecond: s.PerSecond, Seconds: s.Seconds,
	}}, nil
}

func forged(c voucher.Claim) error {
	return refuse(ErrForged, "number %d of %s; only %s can sign one",
		c.Voucher.Seq, sessionID{c.Terms.Container, c.Terms.Session}.text(), c.Terms.Player)
}
