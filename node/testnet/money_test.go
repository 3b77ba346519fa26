package testnet

import (
	"context"
	"log/slog"
	"os"
	"testing"
	"time"
)

func TestMoneyStarts(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	began := time.Now()
	n, err := Start(ctx, Options{Gateways: 1, Indexers: 2, Containers: 2, Checkers: 2, Dir: t.TempDir(), CacheDir: os.TempDir() + "/fm-cache", Slots: 1,
		Money: &Money{}, Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo})), Progress: func(s string) { t.Log(time.Since(began), s) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Log("ready", time.Since(began))
	time.Sleep(3 * time.Second)
	for _, p := range n.Peers() {
		t.Logf("%s %+v", p.Name, p.Ledger().Status())
	}
	if err := n.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
}
