package sdpfrag

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

// From RFC 8840 §9.
const rfc = "a=ice-pwd:asd88fgpdd777uzjYhagZg\r\n" +
	"a=ice-ufrag:8hhY\r\n" +
	"m=audio 9 RTP/AVP 0\r\n" +
	"a=mid:1\r\n" +
	"a=candidate:1 1 UDP 2130706432 2001:db8:a0b:12f0::1 5000 typ host\r\n" +
	"a=candidate:2 1 UDP 1694498815 2001:db8:a0b:12f0::3 5000 typ srflx raddr 2001:db8:a0b:12f0::1 rport 8998\r\n" +
	"a=end-of-candidates\r\n" +
	"m=audio 9 RTP/AVP 0\r\n" +
	"a=mid:2\r\n" +
	"a=candidate:3 1 UDP 2130706432 2001:db8:a0b:12f0::1 6000 typ host\r\n" +
	"a=end-of-candidates\r\n"

func TestParse(t *testing.T) {
	f, err := Parse(rfc)
	if err != nil {
		t.Fatal(err)
	}
	if f.Ufrag != "8hhY" || f.Pwd != "asd88fgpdd777uzjYhagZg" || len(f.Media) != 2 || f.Media[1].Mid != "2" || !f.Media[0].End || len(f.Candidates()) != 3 {
		t.Errorf("%+v", f)
	}
	again, err := Parse(f.String())
	if err != nil || !reflect.DeepEqual(f, again) {
		t.Errorf("written and read again: %+v, %v", again, err)
	}
}

func TestParseRefuses(t *testing.T) {
	cand := "a=candidate:1 1 UDP 1 127.0.0.1 5000 typ host\n"
	for name, c := range map[string]struct {
		body string
		want error
	}{
		"empty": {"", ErrSyntax}, "nothing known": {"a=foo:bar\n", ErrSyntax}, "html": {"<html>", ErrSyntax},
		"binary": {"a=mid:\x00\n", ErrSyntax}, "no password": {"a=ice-ufrag:abcd\n", ErrSyntax},
		"short password": {"a=ice-ufrag:abcd\na=ice-pwd:short\n", ErrSyntax}, "two ufrags": {"a=ice-ufrag:abcd\na=ice-ufrag:abce\na=ice-pwd:asd88fgpdd777uzjYhagZg\n", ErrSyntax},
		"short candidate": {"a=candidate:1 1 UDP\n", ErrSyntax}, "short m": {"m=audio\n", ErrSyntax},
		"candidates": {strings.Repeat(cand, MaxCandidates+1), ErrTooLarge}, "bytes": {strings.Repeat("a", MaxSize+1), ErrTooLarge},
		"line": {"a=x:" + strings.Repeat("a", maxLine), ErrTooLarge}, "sections": {strings.Repeat("m=audio 9 RTP/AVP 0\n", maxMedia+1), ErrTooLarge},
	} {
		if _, err := Parse(c.body); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if _, err := Parse(strings.Repeat(cand, MaxCandidates)); err != nil {
		t.Errorf("as many candidates as allowed: %v", err)
	}
}

const offer = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n" +
	"m=video 9 UDP/TLS/RTP/SAVPF 102\r\na=mid:0\r\na=ice-ufrag:old1\r\na=ice-pwd:oldoldoldoldoldoldoldold\r\na=candidate:9 1 udp 5 10.0.0.1 9 typ host\r\n" +
	"m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:1\r\na=ice-ufrag:old1\r\na=ice-pwd:oldoldoldoldoldoldoldold\r\n"

func TestApplyRestartsAnOffer(t *testing.T) {
	f, _ := Parse(rfc)
	got, err := f.Apply(offer)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(got, "old") || strings.Contains(got, "10.0.0.1") {
		t.Errorf("something of the old transport is left:\n%s", got)
	}
	if n := strings.Count(got, "a=ice-ufrag:8hhY\r\n"); n != 2 {
		t.Errorf("new user fragment %d times, want once per section", n)
	}
	if v, a := strings.Index(got, "a=candidate:1 "), strings.Index(got, "m=audio"); v < 0 || v > a {
		t.Errorf("candidates are not in the first section:\n%s", got)
	}
	back, err := FromSDP(got)
	if err != nil || back.Ufrag != "8hhY" || len(back.Candidates()) != 3 || back.Media[0].Mid != "0" {
		t.Errorf("%+v, %v", back, err)
	}
	if _, err := (&Fragment{}).Apply(offer); !errors.Is(err, ErrSyntax) {
		t.Errorf("without credentials: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(rfc)
	f.Add(offer)
	f.Add("a=ice-options:trickle ice2\na=end-of-candidates\n")
	f.Fuzz(func(t *testing.T, body string) {
		_, _ = FromSDP(body)
		p, err := Parse(body)
		if err != nil {
			return
		}
		again, err := Parse(p.String())
		if errors.Is(err, ErrTooLarge) {
			return // line ends became two bytes
		}
		if err != nil {
			t.Fatalf("%q was read, but not what was written of it: %v\n%s", body, err, p)
		}
		if len(again.Candidates()) != len(p.Candidates()) || again.Ufrag != p.Ufrag || again.Pwd != p.Pwd {
			t.Fatalf("%+v became %+v", p, again)
		}
		_, _ = p.Apply(body)
	})
}
