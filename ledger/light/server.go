package light

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
)

// Server answers light clients. It holds nothing itself; what a peer may cost is bounded by
// whoever carries the protocol.
type Server struct{ b Backend }

// NewServer answers from b.
func NewServer(b Backend) *Server { return &Server{b} }

// Handle answers one question. What cannot be answered is a Refusal, not an error; an
// error is ctx's alone.
func (s *Server) Handle(ctx context.Context, _ string, req *Request) (*Response, error) {
	resp, err := s.answer(ctx, req)
	if ctx.Err() != nil {
		return nil, fmt.Errorf("light: %w", ctx.Err())
	}
	if err != nil {
		return &Response{Answer: &Response_Refusal{Refusal: refusal(err)}}, nil
	}
	return resp, nil
}

func (s *Server) answer(ctx context.Context, req *Request) (*Response, error) {
	switch a := req.GetAsk().(type) {
	case *Request_Head:
		h := s.b.Head()
		return &Response{Answer: &Response_Head{Head: HeadOf(h)}}, nil
	case *Request_LightBlock:
		raw, err := s.b.LightBlock(ctx, a.LightBlock.GetHeight())
		if err != nil {
			return nil, err
		}
		return &Response{Answer: &Response_LightBlock{LightBlock: &LightBlock{Block: raw}}}, nil
	case *Request_Value:
		if n := len(a.Value.GetKey()); n == 0 || n > MaxKey {
			return nil, fmt.Errorf("%w: a key of %d bytes", ErrInvalid, n)
		}
		v, err := s.b.Value(ctx, a.Value.GetKey(), a.Value.GetHeight())
		if err != nil {
			return nil, err
		}
		return &Response{Answer: &Response_Value{Value: v}}, nil
	case *Request_Submit:
		return s.submit(ctx, a.Submit.GetTx())
	case *Request_Tx:
		if len(a.Tx.GetHash()) != sha256.Size {
			return nil, fmt.Errorf("%w: a hash of %d bytes", ErrInvalid, len(a.Tx.GetHash()))
		}
		f, err := s.b.Tx(ctx, [32]byte(a.Tx.GetHash()))
		if err != nil {
			return nil, err
		}
		return &Response{Answer: &Response_Tx{Tx: f}}, nil
	case *Request_Block:
		if a.Block.GetHeight() == 0 {
			return nil, fmt.Errorf("%w: blocks count from 1", ErrInvalid)
		}
		b, err := s.b.Block(ctx, a.Block.GetHeight())
		if err != nil {
			return nil, err
		}
		return &Response{Answer: &Response_Block{Block: b}}, nil
	case *Request_Keys:
		return s.keys(ctx, a.Keys)
	}
	return nil, fmt.Errorf("%w: an unknown question; one of the two programs is older", ErrInvalid)
}

func (s *Server) submit(ctx context.Context, raw []byte) (*Response, error) {
	if len(raw) == 0 || len(raw) > MaxTx {
		return nil, fmt.Errorf("%w: a transaction of %d bytes, not 1 to %d", ErrInvalid, len(raw), MaxTx)
	}
	hash, code, text, err := s.b.Submit(ctx, raw)
	if err != nil {
		return nil, err
	}
	return &Response{Answer: &Response_Submitted{Submitted: &Submitted{Hash: hash[:], Code: code, Text: clip(text)}}}, nil
}

// HeadOf is a summary as it goes over the wire and over the topic.
func HeadOf(s Summary) *Head {
	return &Head{Height: s.Height, Hash: s.Hash[:], TimeMs: s.TimeMS, Full: s.Full}
}

// codes are the refusals of the protocol and what they mean.
var codes = []struct {
	code string
	err  error
}{
	{"not-found", ErrNotFound}, {"not-full", ErrNotFull}, {"too-old", ErrTooOld}, {"invalid", ErrInvalid}, {"busy", ErrBusy},
}

// refusal tells a peer why there is no answer. Errors from within are nobody's business:
// they are busy.
func refusal(err error) *Refusal {
	for _, c := range codes {
		if errors.Is(err, c.err) {
			return &Refusal{Code: c.code, Text: clip(err.Error())}
		}
	}
	return &Refusal{Code: "busy", Text: ErrBusy.Error()}
}

// refusalError is the inverse; a code that is not known counts as busy.
func refusalError(r *Refusal) error {
	for _, c := range codes {
		if r.GetCode() != c.code {
			continue
		}
		if r.GetText() == c.err.Error() {
			return c.err // it says nothing more than the code
		}
		return fmt.Errorf("%w (%s)", c.err, clip(r.GetText()))
	}
	return fmt.Errorf("%w (%s)", ErrBusy, clip(r.GetText()))
}
