package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/framemesh/framemesh/stream/player"
)

// running is a `framemesh run` process of a test.
type running struct {
	cmd  *exec.Cmd
	Peer string   `json:"peer"`
	Addr []string `json:"addrs"`
	URL  string   `json:"url"`
	// Ledger is where other validators reach this one, id@host:port.
	Ledger string `json:"ledger"`
}

// runNode starts one node in a process of its own and waits until it is up.
func runNode(ctx context.Context, t *testing.T, role string, boot []string) *running {
	t.Helper()
	dir := t.TempDir()
	quoted, err := json.Marshal(append([]string{}, boot...))
	if err != nil {
		t.Fatal(err)
	}
	cfg := filepath.Join(dir, "framemesh.toml")
	text := fmt.Sprintf("network = \"processes\"\ndata_dir = %q\nroles = [%q]\n[p2p]\nprofile = \"loopback\"\nport = 0\nbootstrap = %s\n[gateway]\nlisten = \"127.0.0.1:0\"\n[container]\nslots = 2\n", dir, role, quoted)
	if err := os.WriteFile(cfg, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return startNode(ctx, t, role, cfg)
}

// prefixed writes a process's log lines into the test's log.
type prefixed struct {
	t      *testing.T
	prefix string
}

func (p *prefixed) Write(b []byte) (int, error) {
	if testing.Verbose() {
		fmt.Fprintf(os.Stderr, "%s: %s", p.prefix, b)
	}
	return len(b), nil
}

func TestNodesInProcessesOfTheirOwn(t *testing.T) {
	// the test's own context ends before its cleanups, in which the nodes are to end well
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)
	indexer := runNode(ctx, t, "indexer", nil)
	first := runNode(ctx, t, "container", indexer.Addr)
	second := runNode(ctx, t, "container", indexer.Addr)
	gateway := runNode(ctx, t, "gateway", indexer.Addr)

	// wait until the gateway knows both containers and the indexer
	deadline := time.Now().Add(patience)
	for {
		var list struct {
			Apps []struct {
				Name       string
				Containers int
			}
		}
		get(t, gateway.URL+"api/apps", &list)
		var known struct{ Indexers int }
		get(t, gateway.URL+"api/node", &known)
		if len(list.Apps) > 0 && list.Apps[0].Containers == 2 && known.Indexers == 1 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the gateway sees %+v, %+v", list, known)
		}
		time.Sleep(50 * time.Millisecond)
	}
	// the indexer is another process: it may hear of the containers later than the gateway
	p := plays(ctx, t, player.Options{URL: gateway.URL + "whep/latency", RandomInput: true})
	serving := p.Header().Get("Framemesh-Container")
	victim, other := first, second
	if serving == second.Peer {
		victim, other = second, first
	}
	session, token := p.Header().Get("Framemesh-Session"), p.Header().Get("Framemesh-Owner-Token")
	if code := status(t, gateway.URL, session, token); code != http.StatusOK {
		t.Fatalf("the session's status is %d", code)
	}

	// kill -9 of the whole node: nobody says goodbye
	if err := victim.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = victim.cmd.Wait()
	if code := status(t, gateway.URL, session, token); code != http.StatusGone {
		t.Errorf("after the kill the session's status is %d", code)
	}
	next := plays(ctx, t, player.Options{URL: gateway.URL + "whep/latency?exclude=" + victim.Peer})
	if got := next.Header().Get("Framemesh-Container"); got != other.Peer {
		t.Errorf("the next match is %s, not %s", got, other.Peer)
	}
	_ = p.Leave(ctx)
	if err := next.Stop(ctx); err != nil {
		t.Error(err)
	}
	if left := leftovers(t); left != "" {
		t.Errorf("workers outlived their node: %s", left)
	}
}

// plays begins a session and waits for its first picture. What a player would try again, on a
// machine that is slow, it tries again.
func plays(ctx context.Context, t *testing.T, o player.Options) *player.Player {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		p, err := player.Play(ctx, o)
		if err == nil {
			if err = p.FirstFrame(ctx); err == nil {
				return p
			}
			_ = p.Stop(ctx)
		}
		if ctx.Err() != nil || time.Now().After(deadline) {
			t.Fatalf("no session: %v", err)
		}
	}
}

func get(t *testing.T, url string, into any) {
	t.Helper()
	r, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if err := json.NewDecoder(r.Body).Decode(into); err != nil {
		t.Fatal(err)
	}
}

func status(t *testing.T, base, session, token string) int {
	t.Helper()
	r, err := http.Get(base + "api/sessions/" + session + "?token=" + token)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	return r.StatusCode
}
