package control

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
)

func TestContainerMessagesRoundTrip(t *testing.T) {
	for _, m := range []Message{
		Welcome{V: 1, Session: "ab", Role: "owner", Seat: -1, App: "Snake „x“", Width: 640, Height: 360, FPS: 60, Encoder: "openh264", Container: "12D3"},
		Pong{7}, Stats{Tick: 1 << 40, FPS: 59.9, Kbps: 3300, Acked: 9, ShiftMS: -1.5, Viewers: 2}, Ack{1, 2},
		Escrow{State: EscrowLocked, Total: "18446744073709551615", Seconds: 3600, Taken: strings.Repeat("5a", 64), OpenedMS: 1_800_000_000_000}, Escrow{State: EscrowRefused, Text: "No money.", Total: "0"},
		Pay{State: PayOK, Served: 3, Covered: 4, Paid: "80000", Seq: 4},
		Notice{NoticePaused, "Paused."}, Chat{"player 2", "hi"}, Bye{ByeIdle, "Nobody played."},
	} {
		b, err := Encode(m)
		if err != nil {
			t.Fatal(err)
		}
		got, err := FromContainer(b)
		if err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("%s gave %#v, %v; want %#v", b, got, err, m)
		}
	}
}

func TestPageMessages(t *testing.T) {
	key, sig := strings.Repeat("0f", 32), strings.Repeat("ab", 64)
	for in, want := range map[string]Message{
		`{"t":"hello","v":1,"key":""}`:                       Hello{V: 1},
		`{"t":"hello","v":1,"key":"` + key + `","new":true}`: Hello{1, key},
		`{"t":"ping","n":12}`:                                Ping{12},
		`{"n":12,"t":"ping"}`:                                Ping{12},
		`{"t":"stats","fps":60,"lost":0,"rtt_ms":1.5,"jb_ms":2,"decode_ms":0.6,"kbps":3300}`: PageStats{FPS: 60, RTTMS: 1.5, JBMS: 2, DecodeMS: 0.6, Kbps: 3300},
		`{"t":"chat","text":"hi"}`:  Chat{Text: "hi"},
		`{"t":"open","tx":"AAEC"}`:  Open{"AAEC"},
		`{"t":"topup","tx":"AAE="}`: TopUp{"AAE="},
		`{"t":"voucher","seq":7,"seconds":8,"paid":"160000","sig":"` + sig + `"}`: Voucher{7, 8, "160000", sig},
		`{"t":"pause"}`:  Pause{},
		`{"t":"resume"}`: Resume{},
	} {
		got, err := FromPage([]byte(in))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s gave %#v, %v; want %#v", in, got, err, want)
		}
	}
}

func TestMoneyMessagesRefused(t *testing.T) {
	sig := strings.Repeat("ab", 64)
	voucher := func(seq, seconds, paid, sig string) string {
		return `{"t":"voucher","seq":` + seq + `,"seconds":` + seconds + `,"paid":` + paid + `,"sig":"` + sig + `"}`
	}
	if _, err := FromPage([]byte(voucher("1", "4294967295", `"18446744073709551615"`, sig))); err != nil {
		t.Errorf("the largest voucher: %v", err)
	}
	big := base64.StdEncoding.EncodeToString(make([]byte, MaxTx+1))
	for in, want := range map[string]error{
		`{"t":"open"}`: ErrValue, `{"t":"open","tx":""}`: ErrValue, `{"t":"open","tx":"AA"}`: ErrValue, `{"t":"topup","tx":"A\nAEC"}`: ErrValue,
		`{"t":"open","tx":"AB=="}`: ErrValue, `{"t":"open","tx":"` + big + `"}`: ErrSize, `{"t":"topup","tx":7}`: ErrValue,
		voucher("0", "1", `"1"`, sig): ErrValue, voucher("9007199254740993", "1", `"1"`, sig): ErrValue, voucher("-1", "1", `"1"`, sig): ErrValue,
		voucher("1", "4294967296", `"1"`, sig): ErrValue, voucher("1", "1.5", `"1"`, sig): ErrValue, voucher("1", "1", `1`, sig): ErrValue,
		voucher("1", "1", `"01"`, sig): ErrValue, voucher("1", "1", `"+1"`, sig): ErrValue, voucher("1", "1", `"18446744073709551616"`, sig): ErrValue,
		voucher("1", "1", `""`, sig): ErrValue, voucher("1", "1", `"1"`, sig[2:]): ErrValue, voucher("1", "1", `"1"`, sig+"00"): ErrValue,
		voucher("1", "1", `"1"`, "zz"+sig[2:]): ErrValue, `{"t":"pay","state":"ok"}`: ErrType, `{"t":"escrow"}`: ErrType,
	} {
		if m, err := FromPage([]byte(in)); !errors.Is(err, want) {
			t.Errorf("%.80s gave %#v, %v; want %v", in, m, err, want)
		}
	}
	for _, in := range []string{`{"t":"pay","state":"ok","paid":"-1"}`, `{"t":"pay","state":"ok"}`, `{"t":"escrow","total":"1e3"}`, `{"t":"escrow","total":"1","taken":"5a"}`,
		`{"t":"pay","paid":"0","seq":9007199254740993}`} {
		if m, err := FromContainer([]byte(in)); !errors.Is(err, ErrValue) {
			t.Errorf("%s gave %#v, %v", in, m, err)
		}
	}
	raw := []byte{0, 1, 2, 255}
	if got, err := DecodeTx(EncodeTx(raw)); err != nil || string(got) != string(raw) {
		t.Errorf("a transaction became %x, %v", got, err)
	}
}

func TestPageMessagesRefused(t *testing.T) {
	for in, want := range map[string]error{
		``: ErrValue, `null`: ErrType, `[]`: ErrValue, `{}`: ErrType, `{"t":1}`: ErrValue, `{"t":"ping","n":1}{}`: ErrValue,
		`{"t":"ping","n":-1}`: ErrValue, `{"t":"ping","n":1.5}`: ErrValue, `{"t":"ping","n":9007199254740993}`: ErrValue,
		`{"t":"hello","v":2}`: ErrValue, `{"t":"hello","v":1,"key":"zz"}`: ErrValue, `{"t":"hello","v":1,"key":"00"}`: ErrValue,
		`{"t":"stats","fps":-1}`: ErrValue, `{"t":"stats","fps":1e300}`: ErrValue, `{"t":"chat","text":""}`: ErrValue,
		`{"t":"chat","text":"x","from":"the owner"}`: ErrValue, `{"t":"welcome","v":1}`: ErrType, `{"t":"nope"}`: ErrType,
		`{"t":"chat","text":"` + strings.Repeat("x", MaxText+1) + `"}`: ErrValue, `{"t":"chat","text":"` + strings.Repeat("x", MaxSize) + `"}`: ErrSize,
		"{\"t\":\"chat\",\"text\":\"\xff\"}": ErrValue, `{"t":"` + strings.Repeat("x", 100) + `"}`: ErrType,
	} {
		if m, err := FromPage([]byte(in)); !errors.Is(err, want) {
			t.Errorf("%.60s gave %#v, %v; want %v", in, m, err, want)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	if _, err := Encode(Stats{FPS: math.NaN()}); !errors.Is(err, ErrValue) {
		t.Errorf("NaN: %v", err)
	}
	if _, err := Encode(Notice{Text: strings.Repeat("x", MaxSize)}); !errors.Is(err, ErrSize) {
		t.Errorf("long: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"t":"hello","v":1,"key":""}`))
	f.Add([]byte(`{"t":"chat","text":"hi"}`))
	f.Add([]byte(`{"t":"stats","fps":60,"kbps":3300}`))
	f.Add([]byte(`{"t":"ack","seq":4294967295,"tick":1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := FromPage(b); err == nil {
			if !json.Valid(b) || len(b) > MaxSize {
				t.Fatalf("accepted %q", b)
			}
			if c, ok := m.(Chat); ok && len([]rune(c.Text)) > MaxText {
				t.Fatalf("chat of %d characters", len(c.Text))
			}
		}
		if m, err := FromContainer(b); err == nil {
			again, err := Encode(m)
			if errors.Is(err, ErrSize) {
				return // escapes make it longer
			}
			if err != nil {
				t.Fatalf("%q: %v", b, err)
			}
			if got, err := FromContainer(again); err != nil || !reflect.DeepEqual(got, m) {
				t.Fatalf("%q became %#v, then %#v, %v", b, m, got, err)
			}
		}
	})
}
