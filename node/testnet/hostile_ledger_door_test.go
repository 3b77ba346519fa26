package testnet

import (
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// ledgerNuisances are requests about money that must be refused.
func ledgerNuisances() []nuisance {
	names := []string{"x", "frm1", "frm1qqqq", "FRM1QQQQ", hex.EncodeToString(random(31)), hex.EncodeToString(random(33)), strings.Repeat("z", 64),
		strings.Repeat("frm1", 1000), "%00", "%ff%fe", "-1", "0", "frm1%20", digits[:63]}
	account := func(name string) string { return "/api/ledger/account/" + name }
	out := []nuisance{
		{"an account of no name", "GET", func(i int) string { return account(names[i%len(names)]) }, nil, nil, []int{400}},
		{"an account of noise", "GET", func(i int) string { return account(url.PathEscape(string(random(1 + i%60)))) }, nil, nil, []int{400, 404, 301, 307}},
		{"an account of none", "GET", at(account("")), nil, nil, []int{404}},
		{"a part of the ledger that is none", "GET", func(i int) string { return fmt.Sprintf("/api/ledger/%d", i) }, nil, nil, []int{404}},
		{"an account of an account", "GET", func(i int) string { return account(digits + fmt.Sprintf("/%d", i)) }, nil, nil, []int{404}},
		{"the ledger of a foreign name", "GET", at("/api/ledger"), nil, []string{"Host", "evil.example"}, []int{421}},
	}
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "BREW"} {
		for _, path := range []string{"/api/ledger", account(digits)} {
			out = append(out, nuisance{method + " " + path[:11], method, at(path), func(i int) []byte { return random(i * 100) }, nil, []int{405}})
		}
	}
	return out
}

// hostileAccounts sends all of those, and asks for more accounts that may be than a gateway
// could ever look up: it answers what it can and does not become a nuisance itself.
func hostileAccounts(t *testing.T, n *Net, goesOn func(string)) {
	base, err := url.Parse(n.URL())
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	slots := make(chan struct{}, 4)
	for k, what := range ledgerNuisances() {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			bother(t, base, 300+4*k, what)
		})
	}
	wg.Wait()
	goesOn("foolish requests about money")
	validator := n.Find("checker-1")
	before := figure(t, validator, "framemesh_rpc_rejected_total", "ledger")
	statuses, began := map[int]int{}, time.Now()
	var mu sync.Mutex
	for v := range 8 {
		wg.Go(func() {
			c := visitor(600 + v)
			defer c.CloseIdleConnections()
			for range each {
				resp, err := c.Get(n.URL() + "api/ledger/account/" + hex.EncodeToString(random(32)))
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				mu.Lock()
				statuses[resp.StatusCode]++
				if resp.StatusCode == http.StatusTooManyRequests && resp.Header.Get("Retry-After") == "" {
					t.Error("too many, and no word on when to try again")
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	// 60 at once and 15 a second are looked up, see node/gateway; the ledger may be late for a few
	refused := statuses[http.StatusTooManyRequests]
	most := 70 + int(16*time.Since(began).Seconds())
	if ok := statuses[http.StatusOK]; ok < 20 || ok > most || ok+refused < 8*each-most || ok+refused+statuses[http.StatusServiceUnavailable] != 8*each {
		t.Errorf("1600 accounts in %v: %v", time.Since(began), statuses)
	}
	if got := figure(t, validator, "framemesh_rpc_rejected_total", "ledger") - before; got > 0 {
		t.Errorf("the gateway was refused %v times for what strangers made it ask", got)
	}
	t.Logf("1600 accounts: %v", statuses)
	goesOn("many accounts")
}

// hostileDoor speaks to the port on which validators reach each other what is no handshake:
// it may take the place of other strangers for a moment, not that of the blocks.
func hostileDoor(t *testing.T, n *Net) {
	_, addr, ok := strings.Cut(n.Find("checker-1").LedgerAddress(), "@")
	if !ok {
		t.Fatal("the validator listens nowhere")
	}
	var wg sync.WaitGroup
	for i := range each {
		wg.Go(func() {
			c, err := net.DialTimeout("tcp", addr, patience)
			if err != nil {
				t.Errorf("connection %d: %v", i, err)
				return
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(12 * time.Second))
			switch i % 5 {
			case 0: // half open: says nothing
			case 1:
				_, _ = c.Write(random(4096))
			case 2: // a point of small order where a key is due
				_, _ = c.Write(append([]byte{34, 10, 32}, make([]byte, 32)...))
			case 3:
				_, _ = c.Write([]byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"))
			case 4: // a good key, and then no proof of it
				_, _ = c.Write(append([]byte{34, 10, 32, 9}, make([]byte, 31)...))
				_, _ = c.Write(random(1 << 16))
			}
			if _, err := io.Copy(io.Discard, c); err != nil {
				if ne, ok := err.(net.Error); ok && ne.Timeout() && i%5 != 0 {
					t.Logf("connection %d (kind %d) was still open at its end", i, i%5)
				}
			}
		})
	}
	wg.Wait()
}
