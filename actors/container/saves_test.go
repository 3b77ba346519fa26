package container

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/framemesh/framemesh/gpu/app"
	"github.com/framemesh/framemesh/p2p/rpc"
	"github.com/framemesh/framemesh/p2p/wire"
	"github.com/framemesh/framemesh/stream"
)

var (
	ann = saveKey{app: [32]byte{1}, player: [32]byte{7}}
	ben = saveKey{app: [32]byte{1}, player: [32]byte{8}}
	etc = saveKey{app: [32]byte{2}, player: [32]byte{7}}
)

// shelf opens a store whose log can be read.
func shelf(t *testing.T, dir string, limit int64) (*saves, *bytes.Buffer) {
	t.Helper()
	var words bytes.Buffer
	s, err := openSaves(dir, limit, slog.New(slog.NewTextHandler(&words, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return s, &words
}

func (s *saves) keep(k saveKey, data string) {
	s.put(k, []byte(data))
	<-s.settled()
}

func TestSavesAreKeptByAppAndPlayer(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "saves")
	s, _ := shelf(t, dir, saveTotal)
	if got := s.get(ann); got != nil {
		t.Errorf("a save out of nothing: %q", got)
	}
	s.keep(ann, "first")
	s.put(ann, []byte("second"))
	if got := s.get(ann); string(got) != "second" { // on the disk or not
		t.Errorf("the newest is %q", got)
	}
	<-s.settled()
	again, words := shelf(t, dir, saveTotal)
	if got := again.get(ann); string(got) != "second" {
		t.Errorf("after a restart: %q", got)
	}
	if again.get(ben) != nil || again.get(etc) != nil {
		t.Error("another player or another app is given the save")
	}
	if words.Len() > 0 {
		t.Errorf("the log says %s", words)
	}
	list, err := os.ReadDir(dir)
	if err != nil || len(list) != 1 {
		t.Fatalf("%d files, %v", len(list), err)
	}
	if fi, err := list[0].Info(); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", fi.Mode(), err)
	}
}

func TestBrokenSaveStartsAnew(t *testing.T) {
	dir := t.TempDir()
	s, words := shelf(t, dir, saveTotal)
	s.keep(ann, "precious")
	path := filepath.Join(dir, ann.name())
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(whole)
	flipped[len(flipped)-1] ^= 1
	for name, b := range map[string][]byte{
		"empty": {}, "cut": whole[:len(whole)-1], "a bit": flipped,
		"another's": encodeSave(ben, []byte("precious")), "huge": append(bytes.Clone(whole), make([]byte, app.MaxSave+1)...),
	} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		words.Reset()
		if got := s.get(ann); got != nil || !strings.Contains(words.String(), "starts anew") {
			t.Errorf("%s: read %q, the log says %q", name, got, words)
		}
	}
	s.keep(ann, "new")
	if got := s.get(ann); string(got) != "new" {
		t.Errorf("a broken save is not replaced: %q", got)
	}
}

func TestOldestSavesMakeRoom(t *testing.T) {
	dir := t.TempDir()
	s, _ := shelf(t, dir, saveTotal)
	s.keep(ann, "old")
	s.keep(ben, "newer")
	at := time.Now().Add(-time.Hour)
	if err := os.Chtimes(filepath.Join(dir, ann.name()), at, at); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".unfinished-1"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, _ = shelf(t, dir, 2*saveBlock) // room for two
	s.keep(etc, "newest")
	if s.get(ann) != nil || string(s.get(ben)) != "newer" || string(s.get(etc)) != "newest" {
		t.Errorf("left: %q, %q, %q", s.get(ann), s.get(ben), s.get(etc))
	}
	s.keep(etc, strings.Repeat("x", app.MaxSave)) // more than all there is room for
	if s.get(ben) != nil || len(s.get(etc)) != app.MaxSave {
		t.Errorf("left: %q and %d bytes", s.get(ben), len(s.get(etc)))
	}
	if list, _ := os.ReadDir(dir); len(list) != 1 {
		t.Errorf("%d files", len(list))
	}
}

// A save reaches the worker of the player whose it is, also of one who waited in the
// queue, and that worker is a fresh one.
func TestSaveReachesItsPlayersWorker(t *testing.T) {
	dir := t.TempDir()
	run(t, 1, func(o *Options) { o.SaveDir = dir }, func(m *mesh) {
		whose := saveKey{snake.SHA256, [32]byte{7}}
		m.saves.keep(whose, "level 3")
		turn := func(player []byte, queue bool) *wire.ReserveResponse {
			resp, err := m.onReserve(context.Background(), gateway, &wire.ReserveRequest{Certificate: m.certificate(snake, nil),
				Nonce: bytes.Repeat([]byte{byte(len(m.dev.fresh)), byte(len(player))}, 8), Player: player, Queue: queue})
			if err != nil {
				t.Fatal(err)
			}
			m.wait()
			return resp
		}
		other := bytes.Repeat([]byte{9}, 32)
		first := turn(other, false)
		if _, err := m.signal(first, stream.RoleOwner, offer("page")); err != nil {
			t.Fatal(err)
		}
		waiting := turn(whose.player[:], true)
		if len(waiting.GetTicket()) == 0 {
			t.Fatalf("no place in the queue: %v", waiting)
		}
		m.end(first)
		l, err := m.onReserve(context.Background(), gateway, &wire.ReserveRequest{Ticket: waiting.GetTicket(),
			Nonce: bytes.Repeat([]byte{1, 32}, 8), Player: other}) // the key that counts is the one that took the place
		if err != nil || len(l.GetSessionId()) == 0 {
			t.Fatalf("%v, %v", l, err)
		}
		m.wait()
		if _, err := m.signal(l, stream.RoleOwner, offer("page")); err != nil {
			t.Fatal(err)
		}
		m.end(l)
		m.end(func() *wire.ReserveResponse {
			l := turn(nil, false)
			if _, err := m.signal(l, stream.RoleOwner, offer("page")); err != nil {
				t.Fatal(err)
			}
			return l
		}())
		if got := fmt.Sprintf("%q %v", m.dev.saves, m.dev.fresh); got != `["" "level 3" ""] [false true false]` {
			t.Errorf("the workers were given %s", got)
		}
	})
}

func TestCertificateOfAnotherPlayerIsRefused(t *testing.T) {
	run(t, 1, nil, func(m *mesh) {
		cert := m.certificate(snake, func(_ *wire.Certificate, r *wire.MatchRequest) { r.Player = bytes.Repeat([]byte{1}, 32) })
		n := random16()
		_, err := m.onReserve(context.Background(), gateway, &wire.ReserveRequest{Certificate: cert, Nonce: n[:], Player: bytes.Repeat([]byte{2}, 32)})
		if !errors.Is(err, rpc.ErrInvalid) {
			t.Errorf("got %v", err)
		}
	})
}

// Whatever is in a file, only what was made for this key comes out.
func FuzzSave(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(encodeSave(ann, nil))
	f.Add(encodeSave(ann, []byte("level 3")))
	f.Add(encodeSave(ben, []byte("level 3")))
	f.Fuzz(func(t *testing.T, b []byte) {
		data, err := decodeSave(ann, b)
		if err != nil {
			return
		}
		if len(data) > app.MaxSave || !bytes.Equal(encodeSave(ann, data), b) {
			t.Errorf("%d bytes came out of a file that was not made for them", len(data))
		}
	})
}
