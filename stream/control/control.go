// Package control is the wire format of the data channel "control": one JSON object
// per message, reliable and in order, at most 4096 bytes. Pages ask and chat;
// containers welcome, measure and say in words what happens.
//
// The messages about money are in pay.go, those about proof in witness.go and cell.go.
//
// It only codes and checks; it knows no clock and no connection.
package control

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"unicode/utf8"
)

// Limits of the channel.
const (
	Version     = 1
	MaxSize     = 4096 // bytes of a message
	MaxText     = 500  // characters of chat
	MaxPerSec   = 20   // messages per second that a container accepts of one page
	maxPingN    = 1 << 53
	maxNameSize = 64
)

// Errors of the decoders.
var (
	ErrSize  = errors.New("control: message over its size limit")
	ErrType  = errors.New("control: unknown type of message")
	ErrValue = errors.New("control: malformed message")
)

// Types of message, as in the field "t".
const (
	THello   = "hello"
	TPing    = "ping"
	TPong    = "pong"
	TStats   = "stats"
	TChat    = "chat"
	TPause   = "pause"
	TResume  = "resume"
	TWelcome = "welcome"
	TAck     = "ack"
	TNotice  = "notice"
	TBye     = "bye"
)

// Codes of a notice.
const (
	NoticeRestarted = "worker-restarted"
	NoticePaused    = "paused"
	NoticeResumed   = "resumed"
	NoticeAppEnded  = "app-ended"
	NoticeSlow      = "slow-network"
	NoticeJoined    = "viewer-joined"
	NoticeLeft      = "viewer-left"
	NoticeIdle      = "idle" // the session will end for want of input
)

// Codes of a bye.
const (
	ByeEnded    = "ended"
	ByeEvicted  = "evicted"
	ByeCrashed  = "crashed"
	ByeShutdown = "shutdown"
	ByeIdle     = "idle"
)

// Message is any message; the concrete types are the structs below, by value.
type Message interface{ kind() string }

// Hello opens the channel. Key is the page's Ed25519 public key in hex, or empty.
type Hello struct {
	V   int    `json:"v"`
	Key string `json:"key"`
}

// Ping asks for a Pong with the same number, 0..2⁵³.
type Ping struct {
	N uint64 `json:"n"`
}

// Pong answers a Ping.
type Pong struct {
	N uint64 `json:"n"`
}

// PageStats is a page's digest of getStats. All figures are ≥ 0.
type PageStats struct {
	FPS      float64 `json:"fps"`
	Lost     float64 `json:"lost"` // packets since the start
	RTTMS    float64 `json:"rtt_ms"`
	JBMS     float64 `json:"jb_ms"` // jitter buffer, mean wait
	DecodeMS float64 `json:"decode_ms"`
	Kbps     float64 `json:"kbps"`
}

// Chat is text between the ends. From is set by the container.
type Chat struct {
	From string `json:"from,omitempty"`
	Text string `json:"text"`
}

// Pause and Resume stop and continue the app; the owner's alone.
type (
	Pause  struct{}
	Resume struct{}
)

// Welcome answers a Hello.
type Welcome struct {
	V         int    `json:"v"`
	Session   string `json:"session"` // hex
	Role      string `json:"role"`
	Seat      int    `json:"seat"` // -1 for those who watch
	App       string `json:"app"`
	Width     int    `json:"width"`
	Height    int    `json:"height"`
	FPS       int    `json:"fps"`
	Encoder   string `json:"encoder"`
	Container string `json:"container"` // peer id
	// Proven says that the container keeps what the page signs: Inputs and Receipts.
	Proven bool `json:"proven,omitempty"`
}

// Stats are a container's figures, once a second.
type Stats struct {
	Tick       uint64  `json:"tick"`
	FPS        float64 `json:"fps"`
	Kbps       int     `json:"kbps"`
	TargetKbps int     `json:"target_kbps"`
	DrawMS     float64 `json:"draw_ms"`
	ConvertMS  float64 `json:"convert_ms"`
	EncodeMS   float64 `json:"encode_ms"`
	SendMS     float64 `json:"send_ms"`
	Acked      uint32  `json:"acked"`
	SlackMS    float64 `json:"slack_ms"`
	ShiftMS    float64 `json:"shift_ms"` // of the tick by the lock, in sum
	RTTMS      float64 `json:"rtt_ms"`
	Loss       float64 `json:"loss"` // 0..1
	Viewers    int     `json:"viewers"`
}

// Ack says that the app had seen input Seq at tick Tick.
type Ack struct {
	Seq  uint32 `json:"seq"`
	Tick uint64 `json:"tick"`
}

// Notice is something that happened, with a sentence for people.
type Notice struct {
	Code string `json:"code"`
	Text string `json:"text"`
}

// Bye ends the session for this page, with a sentence for people.
type Bye struct {
	Code string `json:"code"`
	Text string `json:"text"`
}

func (Hello) kind() string     { return THello }
func (Ping) kind() string      { return TPing }
func (Pong) kind() string      { return TPong }
func (PageStats) kind() string { return TStats }
func (Chat) kind() string      { return TChat }
func (Pause) kind() string     { return TPause }
func (Resume) kind() string    { return TResume }
func (Welcome) kind() string   { return TWelcome }
func (Stats) kind() string     { return TStats }
func (Ack) kind() string       { return TAck }
func (Notice) kind() string    { return TNotice }
func (Bye) kind() string       { return TBye }

// Encode writes a message with its type. It fails only on a figure that JSON cannot
// hold (NaN or infinite) and on a message over MaxSize.
func Encode(m Message) ([]byte, error) {
	body, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %v", ErrValue, m.kind(), err)
	}
	b := make([]byte, 0, len(body)+16)
	b = append(b, `{"t":"`...)
	b = append(b, m.kind()...)
	b = append(b, '"')
	if len(body) > 2 {
		b = append(b, ',')
	}
	b = append(b, body[1:]...)
	if len(b) > MaxSize {
		return nil, fmt.Errorf("%w: %s of %d bytes, at most %d", ErrSize, m.kind(), len(b), MaxSize)
	}
	return b, nil
}

// FromPage reads a message that a page sent.
func FromPage(b []byte) (Message, error) {
	t, err := typeOf(b)
	if err != nil {
		return nil, err
	}
	switch t {
	case THello:
		m, err := decode[Hello](b)
		if err == nil && m.V != Version {
			err = fmt.Errorf("%w: protocol version %d, this container speaks %d", ErrValue, m.V, Version)
		}
		if err == nil && m.Key != "" {
			if k, e := hex.DecodeString(m.Key); e != nil || len(k) != 32 {
				err = fmt.Errorf("%w: key is not 64 hex digits", ErrValue)
			}
		}
		return m, err
	case TPing:
		m, err := decode[Ping](b)
		if err == nil && m.N > maxPingN {
			err = fmt.Errorf("%w: ping number over 2^53", ErrValue)
		}
		return m, err
	case TStats:
		m, err := decode[PageStats](b)
		for _, v := range []float64{m.FPS, m.Lost, m.RTTMS, m.JBMS, m.DecodeMS, m.Kbps} {
			if err == nil && !(v >= 0 && v <= 1e12) {
				err = fmt.Errorf("%w: figure out of range", ErrValue)
			}
		}
		return m, err
	case TChat:
		m, err := decode[Chat](b)
		if n := utf8.RuneCountInString(m.Text); err == nil && (n == 0 || n > MaxText || m.From != "") {
			err = fmt.Errorf("%w: chat of %d characters, 1 to %d, without a sender", ErrValue, n, MaxText)
		}
		return m, err
	case TPause:
		return decode[Pause](b)
	case TResume:
		return decode[Resume](b)
	case TCell:
		return cellFromPage(b)
	}
	if m, ok, err := payFromPage(t, b); ok {
		return m, err
	}
	if m, ok, err := witnessFromPage(t, b); ok {
		return m, err
	}
	return nil, fmt.Errorf("%w: %q", ErrType, t)
}

// FromContainer reads a message that a container sent.
func FromContainer(b []byte) (Message, error) {
	t, err := typeOf(b)
	if err != nil {
		return nil, err
	}
	switch t {
	case TWelcome:
		m, err := decode[Welcome](b)
		if err == nil && m.V != Version {
			err = fmt.Errorf("%w: protocol version %d, this player speaks %d", ErrValue, m.V, Version)
		}
		return m, err
	case TPong:
		return decode[Pong](b)
	case TStats:
		return decode[Stats](b)
	case TAck:
		return decode[Ack](b)
	case TNotice:
		return decode[Notice](b)
	case TChat:
		return decode[Chat](b)
	case TBye:
		return decode[Bye](b)
	case TSegment:
		m, err := decode[Segment](b)
		if err == nil {
			err = unhex(make([]byte, 32), m.Frames)
		}
		return m, err
	}
	if m, ok, err := payFromContainer(t, b); ok {
		return m, err
	}
	return nil, fmt.Errorf("%w: %q", ErrType, t)
}

// typeOf reads "t" after the checks that hold for every message: size, UTF-8, one
// object and nothing after it.
func typeOf(b []byte) (string, error) {
	if len(b) > MaxSize {
		return "", fmt.Errorf("%w: %d bytes, at most %d", ErrSize, len(b), MaxSize)
	}
	if !utf8.Valid(b) {
		return "", fmt.Errorf("%w: not UTF-8", ErrValue)
	}
	var head struct {
		T string `json:"t"`
	}
	d := json.NewDecoder(bytes.NewReader(b))
	if err := d.Decode(&head); err != nil {
		return "", fmt.Errorf("%w: %v", ErrValue, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return "", fmt.Errorf("%w: more than one object", ErrValue)
	}
	if len(head.T) > maxNameSize {
		return "", fmt.Errorf("%w: a name of %d bytes", ErrType, len(head.T))
	}
	return head.T, nil
}

// decode reads the fields of one type. Unknown fields are left alone, so that a
// newer page can say more to an older container.
func decode[M Message](b []byte) (M, error) {
	var m M
	if err := json.Unmarshal(b, &m); err != nil {
		var zero M
		return zero, fmt.Errorf("%w: %s: %v", ErrValue, zero.kind(), err)
	}
	return m, nil
}

// Finite replaces a figure that JSON cannot hold by 0.
func Finite(v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	return v
}
