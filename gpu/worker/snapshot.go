package worker

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
)

// A snapshot file has two slots of slotSize, written in turn, so that a worker that
// is killed while it writes leaves the other one whole, and a third for the state that
// an auditor may start from. The file is sparse: a slot costs what its snapshot needs.
// Between the third slot's header and its state stands the number of the next second
// of play (u32, and its CRC-32C), which no successor may use again.
//
// A slot is a header and the state. The header is cleared before the state is
// written and set after it:
//
//	0  magic "fmsnap01"
//	8  u64 sequence number; the larger valid one is newer
//	16 u64 tick
//	24 u64 length of the state
//	32 u32 CRC-32C of the state
//	36 u32 CRC-32C of bytes 0..36 and 40..80
//	40 SHA-256 of the module
//	72 u64 seed
const (
	slotHeader = 4096 // a page, so that the state starts on one
	slotSize   = 1 << 30
	maxState   = slotSize - slotHeader
	fileSize   = 3 * slotSize
	auditSlot  = 2
	numberAt   = auditSlot*slotSize + 2048
	slotMagic  = "fmsnap01"
)

// SnapshotFile keeps the state of a session's app outside its worker. It has no
// name in any directory and goes when the last process that holds it does.
type SnapshotFile struct{ f *os.File }

// NewSnapshotFile makes an empty one, in memory where the system can (Linux), else
// as an unlinked temporary file.
func NewSnapshotFile() (*SnapshotFile, error) {
	f, err := anonymousFile()
	if err != nil {
		return nil, fmt.Errorf("worker: snapshot file: %w", err)
	}
	return &SnapshotFile{f}, nil
}

// Close gives the memory back once no worker uses it.
func (s *SnapshotFile) Close() error { return s.f.Close() }

// Clear forgets the states, so that the next worker starts from the beginning.
// No worker may be using the file.
func (s *SnapshotFile) Clear() error {
	if err := s.f.Truncate(0); err != nil {
		return fmt.Errorf("worker: clear snapshot: %w", err)
	}
	return nil
}

// Newest returns the newest valid state's tick and length in bytes, for a report;
// false when there is none.
func (s *SnapshotFile) Newest() (tick uint64, length int, ok bool) {
	var best slot
	for i := range 2 {
		if h, err := readSlot(s.f, i); err == nil && (!ok || h.seq > best.seq) {
			best, ok = h, true
		}
	}
	return best.tick, int(best.length), ok
}

// slot is the header of one.
type slot struct {
	seq, tick, length, seed uint64
	sum                     uint32
	module                  [32]byte
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errSlot = errors.New("worker: no valid snapshot")

func (h slot) marshal() []byte {
	b := make([]byte, 80)
	copy(b, slotMagic)
	le := binary.LittleEndian
	le.PutUint64(b[8:], h.seq)
	le.PutUint64(b[16:], h.tick)
	le.PutUint64(b[24:], h.length)
	le.PutUint32(b[32:], h.sum)
	copy(b[40:], h.module[:])
	le.PutUint64(b[72:], h.seed)
	le.PutUint32(b[36:], headerSum(b))
	return b
}

func headerSum(b []byte) uint32 {
	return crc32.Update(crc32.Checksum(b[:36], castagnoli), castagnoli, b[40:80])
}

func parseSlot(b []byte) (slot, error) {
	le := binary.LittleEndian
	if len(b) < 80 || string(b[:8]) != slotMagic || le.Uint32(b[36:]) != headerSum(b) {
		return slot{}, errSlot
	}
	h := slot{
		seq: le.Uint64(b[8:]), tick: le.Uint64(b[16:]), length: le.Uint64(b[24:]),
		sum: le.Uint32(b[32:]), module: [32]byte(b[40:72]), seed: le.Uint64(b[72:]),
	}
	if h.length == 0 || h.length > maxState {
		return slot{}, errSlot
	}
	return h, nil
}

func readSlot(f *os.File, i int) (slot, error) {
	var b [80]byte
	if _, err := f.ReadAt(b[:], int64(i)*slotSize); err != nil {
		return slot{}, fmt.Errorf("%w: %w", errSlot, err)
	}
	return parseSlot(b[:])
}

// snapshots is the child's side of a SnapshotFile.
type snapshots struct {
	f      *os.File
	module [32]byte
	seed   uint64
	seq    uint64 // of the newest slot
	buf    []byte // reused
}

// openSnapshots takes over a file for one module and seed. Slots of others are no
// candidates, and the next write goes over them.
func openSnapshots(f *os.File, module [32]byte, seed uint64) *snapshots {
	return &snapshots{f: f, module: module, seed: seed}
}

// candidates returns the valid states, newest first. Their bytes are read and
// checked one at a time by load.
func (s *snapshots) candidates() []int {
	var found []slot
	var at []int
	for i := range 2 {
		h, err := readSlot(s.f, i)
		if err != nil {
			continue
		}
		s.seq = max(s.seq, h.seq)
		if h.module != s.module || h.seed != s.seed {
			continue
		}
		found, at = append(found, h), append(at, i)
	}
	if len(found) == 2 && found[1].seq > found[0].seq {
		at[0], at[1] = at[1], at[0]
	}
	return at
}

// load reads the state in slot i, valid until the next call of load or write.
func (s *snapshots) load(i int) (state []byte, tick uint64, err error) {
	h, err := readSlot(s.f, i)
	if err != nil {
		return nil, 0, err
	}
	if s.buf, err = readState(s.f, i, h, s.buf); err != nil {
		return nil, 0, err
	}
	return s.buf, h.tick, nil
}

// readState reads what a slot's header says lies behind it, into buf if it is large
// enough.
func readState(f *os.File, i int, h slot, buf []byte) ([]byte, error) {
	fi, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errSlot, err)
	}
	at := int64(i)*slotSize + slotHeader
	if fi.Size() < at+int64(h.length) { // before allocating what a header claims
		return nil, fmt.Errorf("%w: cut off", errSlot)
	}
	if uint64(cap(buf)) < h.length {
		buf = make([]byte, h.length)
	}
	buf = buf[:h.length]
	if _, err := f.ReadAt(buf, at); err != nil {
		return nil, fmt.Errorf("%w: %w", errSlot, err)
	}
	if crc32.Checksum(buf, castagnoli) != h.sum {
		return nil, fmt.Errorf("%w: checksum", errSlot)
	}
	return buf, nil
}

// auditState reads the state of a second's beginning, which its worker announced.
func (s *SnapshotFile) auditState(number uint32) ([]byte, error) {
	h, err := readSlot(s.f, auditSlot)
	if err != nil {
		return nil, err
	}
	if h.seq != uint64(number) {
		return nil, fmt.Errorf("%w: it is of second %d by now, not %d", errSlot, h.seq, number)
	}
	return readState(s.f, auditSlot, h, nil)
}

// write makes a state the newest one. snap appends the state to the buffer it gets.
func (s *snapshots) write(tick uint64, snap func([]byte) ([]byte, error)) error {
	b, err := snap(s.buf[:0])
	if err != nil {
		return err
	}
	s.buf = b
	if len(b) == 0 || len(b) > maxState {
		return fmt.Errorf("worker: a snapshot of %d bytes, at most %d", len(b), maxState)
	}
	s.seq++
	return s.put(int(s.seq%2), s.seq, tick, b)
}

// put writes a state into a slot.
func (s *snapshots) put(i int, seq, tick uint64, b []byte) error {
	base := int64(i) * slotSize
	var none [80]byte
	if _, err := s.f.WriteAt(none[:], base); err != nil {
		return fmt.Errorf("worker: write snapshot: %w", err)
	}
	if _, err := s.f.WriteAt(b, base+slotHeader); err != nil {
		return fmt.Errorf("worker: write snapshot: %w", err)
	}
	h := slot{seq: seq, tick: tick, length: uint64(len(b)), seed: s.seed, module: s.module, sum: crc32.Checksum(b, castagnoli)}
	if _, err := s.f.WriteAt(h.marshal(), base); err != nil {
		return fmt.Errorf("worker: write snapshot: %w", err)
	}
	return nil
}

// number is of the next second of play: 0 in a new file.
func (s *snapshots) number() uint32 {
	var b [8]byte
	if _, err := s.f.ReadAt(b[:], numberAt); err != nil {
		return 0
	}
	le := binary.LittleEndian
	if crc32.Checksum(b[:4], castagnoli) != le.Uint32(b[4:]) {
		return 0
	}
	return le.Uint32(b[:])
}

// setNumber notes that all seconds before n are taken.
func (s *snapshots) setNumber(n uint32) error {
	b := binary.LittleEndian.AppendUint32(nil, n)
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	if _, err := s.f.WriteAt(b, numberAt); err != nil {
		return fmt.Errorf("worker: write snapshot: %w", err)
	}
	return nil
}

// drop lets go of the buffer after a large state was restored from it.
func (s *snapshots) drop() { s.buf = nil }
