package light

import (
	"bytes"
	"context"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
)

// FuzzResponse gives any bytes as a peer's answer to every question that a client asks.
// Nothing panics, and nothing is taken for true that is not: the head stays the chain's
// own, and a value or transaction that is believed is the right one.
func FuzzResponse(f *testing.F) {
	n := newNetwork(f, 2).grow(6, values)
	node := (&full{n: n}).reach(6)
	ctx := context.Background()
	for _, req := range []*Request{
		{Ask: &Request_Head{}},
		{Ask: &Request_LightBlock{LightBlock: &LightBlockAsk{Height: 1}}},
		{Ask: &Request_LightBlock{LightBlock: &LightBlockAsk{Height: 6}}},
		{Ask: &Request_Value{Value: &ValueAsk{Key: []byte("acct/000"), Height: 5}}},
		{Ask: &Request_Value{Value: &ValueAsk{Key: []byte("acct/999"), Height: 5}}},
		{Ask: &Request_Tx{Tx: &TxAsk{Hash: hashOfTx("tx 3")}}},
		{Ask: &Request_Block{Block: &BlockAsk{Height: 3}}},
		{Ask: &Request_Submit{Submit: &SubmitAsk{Tx: []byte("tx")}}},
		{},
	} {
		resp, err := NewServer(node).Handle(ctx, "", req)
		if err != nil {
			f.Fatal(err)
		}
		raw, err := proto.Marshal(resp)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) > MaxResponse {
			return
		}
		answer := func(context.Context, *Request) (*Response, error) {
			resp := new(Response)
			return resp, proto.Unmarshal(raw, resp)
		}
		w := new(wire).set("hostile", answer).set("b", honest(node))
		c, err := New(Config{Genesis: n.doc, Transport: w, Timeout: time.Second, WitnessWait: time.Microsecond,
			Now: func() time.Time { return n.at(6).Time }})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		c.look(ctx)
		if h := c.Head(); h.Height > 6 || h.Height > 0 && h.Hash != [32]byte(n.at(int64(h.Height)).Hash()) {
			t.Fatalf("believes head %d %x", h.Height, h.Hash)
		}
		w.set("b", nil) // from here on only the hostile peer answers
		resp := new(Response)
		if proto.Unmarshal(raw, resp) != nil {
			return
		}
		if v := resp.GetValue(); v != nil {
			got, err := CheckValue(v, []byte("acct/000"), 5, n.at(6).Header)
			if err == nil && string(got.Value) != "at 5" {
				t.Fatalf("believes %q", got.Value)
			}
		}
		if x := resp.GetTx(); x != nil {
			in, err := CheckTx(x, [32]byte(hashOfTx("tx 3")), n.at(3).Header, n.at(4).Header)
			if err == nil && (in.Height != 3 || in.Index != 1 || in.Code != 1 || string(in.Tx) != "tx 3") {
				t.Fatalf("believes %+v", in)
			}
		}
		if b := resp.GetBlock(); b != nil {
			got, err := CheckBlock(b, n.at(3).Header)
			if err == nil && (len(got.Txs) != 2 || string(got.Txs[1]) != "tx 3") {
				t.Fatalf("believes %q", got.Txs)
			}
		}
		_, _ = c.Value(ctx, []byte("acct/000"))
		_, _ = c.submit(ctx, []byte("tx"), false)
	})
}

// FuzzLightBlock: what decodes encodes to something that decodes to the same header.
func FuzzLightBlock(f *testing.F) {
	n := newNetwork(f, 3).grow(3, nil)
	for h := int64(1); h <= 3; h++ {
		raw, err := EncodeLightBlock(n.at(h))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := DecodeLightBlock(n.doc.ChainID, raw)
		if err != nil {
			return
		}
		again, err := EncodeLightBlock(b)
		if err != nil {
			return // larger than it came: varints may be written at length
		}
		c, err := DecodeLightBlock(n.doc.ChainID, again)
		if err != nil || !bytes.Equal(b.Hash(), c.Hash()) {
			t.Fatal("does not come back", err)
		}
	})
}

// FuzzNotice reads what goes over the topic.
func FuzzNotice(f *testing.F) {
	head, err := EncodeHead(Summary{Height: 7, Hash: [32]byte{1}, TimeMS: 5, Full: true})
	if err != nil {
		f.Fatal(err)
	}
	quote, err := EncodeQuote(make([]byte, 112))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(head)
	f.Add(quote)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		n, err := DecodeNotice(raw)
		if err != nil {
			return
		}
		if n.GetHead() == nil && len(n.GetQuote()) == 0 {
			t.Fatal("neither head nor quote")
		}
	})
}

// FuzzHeadersFile reads what a disk may hold.
func FuzzHeadersFile(f *testing.F) {
	n := newNetwork(f, 2).grow(5, nil)
	raw, err := encodeHeaders(n.doc.Hash(), n.blocks[:2])
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add(raw[:len(raw)/2])
	f.Add([]byte(fileMagic))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, b := range [][]byte{raw, sealed(raw)} { // past the checksum too
			blocks, err := decodeHeaders(n.doc.ChainID, n.doc.Hash(), b)
			if err != nil && len(blocks) != 0 {
				t.Fatal("blocks beside an error")
			}
			for i, x := range blocks {
				if i > 0 && x.Height <= blocks[i-1].Height {
					t.Fatal("heights fall")
				}
			}
		}
	})
}
