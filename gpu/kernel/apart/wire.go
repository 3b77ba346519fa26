package apart

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/framemesh/framemesh/gpu/kernel"
)

// The renderer first says what it is: the kernel's name, then the backend's and the
// device's, each as its length in two bytes and the text. A request is its number, what
// is wanted, the size's three numbers and the seed. A reply is the request's number, a
// status, the length of what follows and that: words, leaves, or the text of an error.
// Integers are little-endian.
const (
	requestBytes = 4 + 1 + 12 + 32
	replyHead    = 4 + 1 + 4
	maxText      = 1024
)

// what is wanted, and how it went
const (
	wantWords  = 'w'
	wantLeaves = 'l'
	fine       = 0
	failed     = 1
)

// errProtocol marks bytes that no renderer of this version writes.
var errProtocol = errors.New("apart: the renderer's answer makes no sense")

func writeText(w *bufio.Writer, s string) error {
	s = s[:min(len(s), maxText)]
	if err := binary.Write(w, binary.LittleEndian, uint16(len(s))); err != nil {
		return err
	}
	_, err := w.WriteString(s)
	return err
}

func readText(r io.Reader) (string, error) {
	var n uint16
	if err := binary.Read(r, binary.LittleEndian, &n); err != nil {
		return "", err
	}
	if n > maxText {
		return "", fmt.Errorf("%w: a text of %d bytes", errProtocol, n)
	}
	b := make([]byte, n)
	_, err := io.ReadFull(r, b)
	return string(b), err
}

// hello is what a renderer says of itself.
type hello struct{ name, device string }

func readHello(r io.Reader) (hello, error) {
	var t [3]string
	for i := range t {
		s, err := readText(r)
		if err != nil {
			return hello{}, err
		}
		t[i] = s
	}
	if t[0] != kernel.Name {
		return hello{}, fmt.Errorf("%w: it renders %q, not %s", errProtocol, t[0], kernel.Name)
	}
	return hello{t[1], t[2]}, nil
}

type request struct {
	number uint32
	want   byte
	size   kernel.Size
	seed   kernel.Seed
}

func (q request) bytes() []byte {
	b := binary.LittleEndian.AppendUint32(make([]byte, 0, requestBytes), q.number)
	b = append(b, q.want)
	for _, v := range [3]uint32{q.size.Width, q.size.Height, q.size.SPP} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return append(b, q.seed[:]...)
}

func parseRequest(b *[requestBytes]byte) request {
	u := binary.LittleEndian.Uint32
	return request{u(b[0:]), b[4], kernel.Size{Width: u(b[5:]), Height: u(b[9:]), SPP: u(b[13:])}, kernel.Seed(b[17:])}
}

// bytesOf returns how long the answer to a request of a valid size is.
func bytesOf(want byte, size kernel.Size) int {
	if want == wantLeaves {
		return 32 * int(size.Tiles())
	}
	return 4 * size.Words()
}

// reply is an answer; data is whole.
type reply struct {
	number uint32
	status byte
	data   []byte
}

// readReply reads the answer to the request asked, or to an earlier one that was given
// up: neither is longer than most says when the answer begins.
func readReply(r io.Reader, most func() int64) (reply, error) {
	var h [replyHead]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return reply{}, err
	}
	p := reply{number: binary.LittleEndian.Uint32(h[0:]), status: h[4]}
	n, limit := binary.LittleEndian.Uint32(h[5:]), int64(maxText)
	if p.status == fine {
		limit = most()
	}
	if p.status > failed || int64(n) > limit {
		return reply{}, fmt.Errorf("%w: status %d, %d bytes", errProtocol, p.status, n)
	}
	p.data = make([]byte, n)
	_, err := io.ReadFull(r, p.data)
	return p, err
}
