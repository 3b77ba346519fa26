package segment

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
)

// A log file holds the seconds played in about a minute, as records of 4 bytes
// length, 4 bytes CRC-32C and the second's encoding. The newest one grows by a record
// a second; an older one is packed, which makes it a tenth as large.
type logFile struct {
	first  uint32 // number of its first second
	packed bool
	size   int64 // bytes on the disk
}

const (
	logSeconds = 60
	maxLog     = logSeconds * (8 + MaxSecond)
	recordHead = 8
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (l logFile) name() string {
	name := fmt.Sprintf("%s%010d", logPrefix, l.first)
	if l.packed {
		name += packedExt
	}
	return name
}

// Add keeps a second. Its number must be Next or larger.
func (k *Keeper) Add(s *Second) error {
	if k.any && s.Number < k.next {
		return fmt.Errorf("%w: second %d after %d", ErrMalformed, s.Number, k.next-1)
	}
	if n := len(k.logs); n == 0 || k.logs[n-1].packed || s.Number >= k.logs[n-1].first+logSeconds {
		if err := k.rotate(s.Number); err != nil {
			return err
		}
	}
	l := &k.logs[len(k.logs)-1]
	if k.open == nil {
		f, err := os.OpenFile(k.path(l.name()), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
		if err != nil {
			return fmt.Errorf("segment: keep: %w", err)
		}
		k.open = f
	}
	b := appendRecord(nil, s)
	// One write: a kill leaves a whole record or a torn one at the end.
	if _, err := k.open.Write(b); err != nil {
		return fmt.Errorf("segment: keep: %w", err)
	}
	l.size += int64(len(b))
	k.next, k.any = s.Number+1, true
	return nil
}

func appendRecord(b []byte, s *Second) []byte {
	at := len(b)
	b = s.Append(append(b, make([]byte, recordHead)...))
	body := b[at+recordHead:]
	binary.LittleEndian.PutUint32(b[at:], uint32(len(body)))
	binary.LittleEndian.PutUint32(b[at+4:], crc32.Checksum(body, castagnoli))
	return b
}

// rotate packs the newest log, drops what is too old or too much, and begins another.
func (k *Keeper) rotate(first uint32) error {
	if err := k.Close(); err != nil {
		return fmt.Errorf("segment: keep: %w", err)
	}
	if n := len(k.logs); n > 0 && !k.logs[n-1].packed {
		l := &k.logs[n-1]
		plain := l.name()
		b, err := os.ReadFile(k.path(plain))
		if err != nil {
			return fmt.Errorf("segment: keep: %w", err)
		}
		b = pack(b)
		l.packed, l.size = true, int64(len(b))
		if err := k.write(l.name(), b); err != nil {
			return err
		}
		if err := os.Remove(k.path(plain)); err != nil {
			return fmt.Errorf("segment: keep: %w", err)
		}
	}
	var total int64
	for _, l := range k.logs {
		total += l.size
	}
	for len(k.logs) > 0 && (total > k.budget || k.logs[0].first+KeepSeconds+logSeconds < first) {
		if err := os.Remove(k.path(k.logs[0].name())); err != nil {
			return fmt.Errorf("segment: keep: %w", err)
		}
		total -= k.logs[0].size
		k.logs = k.logs[1:]
	}
	k.logs = append(k.logs, logFile{first: first})
	return nil
}

// read gives the seconds of a log and how many of its bytes are whole records.
func (k *Keeper) read(l logFile) ([]Second, int64, error) {
	b, err := os.ReadFile(k.path(l.name()))
	if err == nil && l.packed {
		b, err = unpack(b, maxLog)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, 0, fmt.Errorf("segment: keep: %w", err)
	}
	seconds, whole := parseLog(b)
	return seconds, int64(whole), nil
}

// parseLog reads records up to the first that is not whole, and says where that is.
func parseLog(b []byte) (out []Second, whole int) {
	for len(b)-whole >= recordHead {
		head := b[whole:]
		n := int(binary.LittleEndian.Uint32(head))
		if n > MaxSecond || n > len(head)-recordHead {
			break
		}
		body := head[recordHead : recordHead+n]
		if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(head[4:]) {
			break
		}
		s, err := ParseSecond(body)
		if err != nil {
			break
		}
		out, whole = append(out, s), whole+recordHead+n
	}
	return out, whole
}

// seconds gives those there are with numbers from first to last.
func (k *Keeper) seconds(first, last uint32) ([]Second, error) {
	var out []Second
	for i, l := range k.logs {
		if l.first > last || i+1 < len(k.logs) && k.logs[i+1].first <= first {
			continue
		}
		seconds, _, err := k.read(l)
		if err != nil {
			return nil, err
		}
		for _, s := range seconds {
			if s.Number >= first && s.Number <= last {
				out = append(out, s)
			}
		}
	}
	return out, nil
}

// Second gives one second that was kept, so that what a player signed or was paid
// for can be looked up for a day.
func (k *Keeper) Second(number uint32) (Second, error) {
	found, err := k.seconds(number, number)
	if err != nil {
		return Second{}, err
	}
	if len(found) == 0 {
		return Second{}, fmt.Errorf("%w: second %d", ErrGone, number)
	}
	return found[0], nil
}
