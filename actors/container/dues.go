package container

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/framemesh/framemesh/actors/record"
	"github.com/framemesh/framemesh/ledger/tx"
	"github.com/framemesh/framemesh/ledger/voucher"
)

// A file of dues is 144 bytes, big-endian:
//
//	0   magic "fmdue001"
//	8   session
//	24  voucher (84), see [voucher.Voucher.Encode]; all 0 = none
//	108 s since 1970 until which the order may come into a block (4); 0 = none was taken in
//	112 SHA-256 of the bytes before
const (
	dueMagic = "fmdue001"
	dueSize  = 144
	dueSum   = dueSize - sha256.Size
	maxDues  = 4096 // sessions that wait for settlement; files beyond are left alone
)

var errDue = errors.New("container: not a file of dues")

// due is what one session still has to settle.
type due struct {
	session [16]byte
	voucher *tx.Voucher // the newest; nil when nothing was promised
	until   uint32      // s since 1970: until then the session's order may come into a block
}

func encodeDue(d due) []byte {
	b := make([]byte, 0, dueSize)
	b = append(append(b, dueMagic...), d.session[:]...)
	if v, err := voucher.FromTx(d.voucher); err == nil {
		b = append(b, v.Encode()...)
	} else { // none
		b = append(b, make([]byte, voucher.Size)...)
	}
	b = binary.BigEndian.AppendUint32(b, d.until)
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

// decodeDue reads what encodeDue wrote; errDue for anything else.
func decodeDue(b []byte) (d due, err error) {
	if len(b) != dueSize || string(b[:8]) != dueMagic {
		return d, errDue
	}
	if sum := sha256.Sum256(b[:dueSum]); !bytes.Equal(sum[:], b[dueSum:]) {
		return d, errDue
	}
	d.session, d.until = [16]byte(b[8:24]), binary.BigEndian.Uint32(b[108:])
	if bytes.Equal(b[24:108], make([]byte, voucher.Size)) {
		return d, nil
	}
	v, err := voucher.Decode(b[24:108])
	if err != nil {
		return due{}, errDue
	}
	d.voucher = v.ForTx()
	return d, nil
}

// dues keeps the newest voucher of each session on the disk, from the first money until
// the settlement is in a block. Writing happens on a goroutine of its own that lives while
// there is something to write: sessions never wait for the disk.
type dues struct {
	dir string // "" keeps nothing
	log *slog.Logger

	mu      sync.Mutex
	all     map[[16]byte]*dueEntry
	pending []*dueEntry // in the order they came; each at most once
	idle    chan struct{}
}

type dueEntry struct {
	due
	over   bool // the session is: settle it
	found  bool // the ledger has, or had, its escrow
	gone   bool // it is settled: the file goes
	queued bool // for writing
}

// openDues takes over a directory and what an earlier run left there, which is due at
// once. A file that cannot be read is left where it is, and told of.
func openDues(dir string, log *slog.Logger) (*dues, error) {
	d := &dues{dir: dir, log: log, all: map[[16]byte]*dueEntry{}}
	if dir == "" {
		return d, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("container: directory of dues: %w; name one that can be written", err)
	}
	if err := record.Sweep(dir); err != nil {
		return nil, fmt.Errorf("container: directory of dues: %w", err)
	}
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("container: directory of dues: %w", err)
	}
	for _, e := range list {
		if strings.HasSuffix(e.Name(), ".due") && len(d.all) < maxDues {
			x, err := readDue(filepath.Join(dir, e.Name()))
			if err != nil {
				log.Error("a voucher cannot be read, so its session is not settled; the player's escrow goes back when it expires", "file", e.Name(), "err", err)
				continue
			}
			d.all[x.session] = &dueEntry{due: x, over: true}
		}
	}
	return d, nil
}

func readDue(path string) (due, error) {
	f, err := os.Open(path)
	if err != nil {
		return due{}, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, dueSize+1))
	if err != nil {
		return due{}, err
	}
	return decodeDue(b)
}

func (d *dues) path(session [16]byte) string {
	return filepath.Join(d.dir, hex.EncodeToString(session[:])+".due")
}

// keep remembers a session's newest voucher.
func (d *dues) keep(session [16]byte, v *tx.Voucher) {
	d.change(session, func(e *dueEntry) { e.voucher = v })
}

// order remembers that a session's order is on its way to a block, until when it may get
// there: from then on there may be an escrow to give back.
func (d *dues) order(session [16]byte, until uint32) {
	d.change(session, func(e *dueEntry) { e.until = max(e.until, until) })
}

func (d *dues) change(session [16]byte, how func(*dueEntry)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.all[session]
	if e == nil {
		e = &dueEntry{due: due{session: session}}
		d.all[session] = e
	}
	how(e)
	d.write(e)
}

// found notes that the ledger holds the escrow of a session: once it does not any more,
// the session is settled.
func (d *dues) found(session [16]byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if e := d.all[session]; e != nil {
		e.found = true
	}
}

// end says that a session is over, so that what it left is to be settled.
func (d *dues) end(session [16]byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if e := d.all[session]; e != nil {
		e.over = true
	}
}

// closing is a close that is due.
type closing struct {
	*tx.CloseSession
	until uint64 // ms since 1970: until then its escrow may still appear; 0 = it was there
}

// over lists at most n closes that are due: those whose escrow was seen first, then in the
// order of their sessions.
func (d *dues) over(n int) []closing {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []closing
	for _, e := range d.all {
		if e.over && !e.gone {
			c := closing{CloseSession: &tx.CloseSession{Session: bytes.Clone(e.session[:]), Voucher: e.voucher}}
			if !e.found {
				c.until = uint64(e.until) * 1000
			}
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b closing) int {
		return cmp.Or(cmp.Compare(a.until, b.until), bytes.Compare(a.Session, b.Session))
	})
	return out[:min(n, len(out))]
}

// settle forgets sessions whose closes are in a block.
func (d *dues) settle(closes []closing) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range closes {
		if e := d.all[[16]byte(c.GetSession())]; e != nil {
			e.gone = true
			d.write(e)
		}
	}
}

// write queues a file; the caller holds the lock.
func (d *dues) write(e *dueEntry) {
	if d.dir == "" {
		if e.gone {
			delete(d.all, e.session)
		}
		return
	}
	if e.queued {
		return // what is written is what holds by then
	}
	e.queued = true
	d.pending = append(d.pending, e)
	if d.idle == nil {
		d.idle = make(chan struct{})
		go d.work()
	}
}

// work writes until nothing waits.
func (d *dues) work() {
	for {
		d.mu.Lock()
		if len(d.pending) == 0 {
			close(d.idle)
			d.idle = nil
			d.mu.Unlock()
			return
		}
		e := d.pending[0]
		d.pending = d.pending[1:]
		e.queued = false
		x, gone := e.due, e.gone
		if gone {
			delete(d.all, e.session)
		}
		d.mu.Unlock()
		var err error
		if gone {
			if err = os.Remove(d.path(x.session)); errors.Is(err, fs.ErrNotExist) {
				err = nil
			}
		} else {
			err = record.Write(d.path(x.session), encodeDue(x))
		}
		if err != nil {
			d.log.Error("a voucher is not on the disk: a crash now would lose its session's pay; make room or look at the directory's rights", "dir", d.dir, "err", err)
		}
	}
}

// written is closed when all that was kept before is on the disk.
func (d *dues) written() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.idle != nil {
		return d.idle
	}
	done := make(chan struct{})
	close(done)
	return done
}
