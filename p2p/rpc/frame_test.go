package rpc

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"testing"
	"testing/iotest"

	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/p2p/wire"
)

func TestFrameRoundTrip(t *testing.T) {
	for _, size := range []int{0, 1, 127, 128, 300, 70_000} {
		msg := &wire.AppResponse{Data: bytes.Repeat([]byte{1}, size)}
		b, err := appendFrame(nil, msg)
		if err != nil {
			t.Fatal(err)
		}
		r := bytes.NewReader(append(b, "next"...))
		var got wire.AppResponse
		if _, err := readMessage(iotest.OneByteReader(r), len(b), &got); err != nil || !proto.Equal(&got, msg) {
			t.Errorf("%d bytes: %v", size, err)
		}
		if r.Len() != len("next") {
			t.Errorf("%d bytes: %d left, read beyond the frame or not to its end", size, r.Len())
		}
	}
}

// A claimed length is not believed: memory grows with what came.
func TestFrameAllocatesWhatCame(t *testing.T) {
	huge := []byte{0x80, 0x80, 0x80, 0x40, 1, 2, 3} // claims 128 MiB, holds three bytes
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := readFrame(bytes.NewReader(huge), 1<<30)
	runtime.ReadMemStats(&after)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("got %v, want an unexpected end", err)
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > 16<<20 { // what else runs allocates, too
		t.Errorf("three bytes that claim 128 MiB cost %d bytes", got)
	}
}

func FuzzReadFrame(f *testing.F) {
	ok, err := appendFrame(nil, &wire.MatchRequest{RequestId: []byte("0123456789abcdef"), Region: "eu-west"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(ok)
	f.Add([]byte{0x80, 0x80, 0x80, 0x80, 0x10, 1})
	f.Add([]byte{0x80, 0x00})
	f.Add([]byte{})
	const limit = 1 << 10
	f.Fuzz(func(t *testing.T, data []byte) {
		frame, err := readFrame(bytes.NewReader(data), limit)
		if err == nil && len(frame) > limit {
			t.Fatalf("%d bytes through a limit of %d", len(frame), limit)
		}
		if err == nil && !bytes.Contains(data, frame) {
			t.Fatal("the frame is not what came")
		}
		var req wire.MatchRequest
		if _, err := readMessage(bytes.NewReader(data), limit, &req); err != nil {
			return
		}
		again, err := appendFrame(nil, &req)
		if err != nil {
			t.Fatal(err)
		}
		var back wire.MatchRequest
		if _, err := readMessage(bytes.NewReader(again), len(again), &back); err != nil || !proto.Equal(&req, &back) {
			t.Fatalf("does not survive a round trip: %v", err)
		}
	})
}

func FuzzResponse(f *testing.F) {
	b, err := proto.Marshal(errorResponse(Errorf(wire.Code_NO_MATCH, "no slot; try later")))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		var resp wire.Response
		if proto.Unmarshal(data, &resp) != nil {
			return
		}
		e := responseError(&resp)
		if len(e.Error()) > 8*maxMessage || e.RetryAfter < 0 {
			t.Fatalf("%d bytes of text, retry after %v", len(e.Error()), e.RetryAfter)
		}
	})
}
