package node

import (
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
)

func TestDebugServerShowsMetricsToThisMachineOnly(t *testing.T) {
	c := DefaultConfig()
	c.Roles, c.DataDir, c.P2P = []Role{RoleChecker}, t.TempDir(), P2PConfig{Profile: "loopback"}
	c.Debug.Listen = "0.0.0.0:0"
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "debug.listen") {
		t.Fatalf("an address that others reach was taken: %v", err)
	}
	c.Debug.Listen = "127.0.0.1:0"
	n, err := New(c, Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := n.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	get := func(path, host string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+n.DebugAddr()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if host != "" {
			r.Host = host
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(b)
	}
	if code, body := get("/metrics", ""); code != 200 || !strings.Contains(body, "framemesh_") {
		t.Errorf("/metrics: %d, %d bytes", code, len(body))
	}
	if code, body := get("/debug/pprof/", ""); code != 200 || !strings.Contains(body, "goroutine") {
		t.Errorf("/debug/pprof/: %d", code)
	}
	if code, _ := get("/metrics", "evil.example.org"); code != http.StatusMisdirectedRequest {
		t.Errorf("a foreign host name got %d", code)
	}
}
