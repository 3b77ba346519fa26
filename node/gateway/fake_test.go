package gateway

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	mesh "github.com/framemesh/framemesh/actors/gateway"
)

// fakeMesh answers from memory. A nil function gives a plain good answer.
type fakeMesh struct {
	apps    []mesh.App
	picture func(app string) ([]byte, error)
	launch  func(ctx context.Context, r mesh.LaunchRequest) (*mesh.Launched, error)
	join    func(ctx context.Context, r mesh.JoinRequest) (*mesh.Launched, error)
	trickle func(session, peer, token, fragment string) error
	restart func(session, peer, token, fragment string) (string, error)
	leave   func(session, peer, token string, end bool) error
	status  func(ctx context.Context, session, token string) (mesh.SessionStatus, error)
	queue   func(ctx context.Context, ticket string) (<-chan mesh.QueueEvent, error)

	mu       sync.Mutex
	launches []mesh.LaunchRequest
	left     []left
}

type left struct {
	session, peer, token string
	end                  bool
}

const (
	testSession = "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a"
	testPeer    = "0b0b0b0b0b0b0b0b"
	testToken   = "0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c"
)

var _ mesh.Mesh = (*fakeMesh)(nil)

func (f *fakeMesh) Node() mesh.Node {
	return mesh.Node{Network: "testnet", PeerID: "12D3KooWGateway", Version: "test", Region: "local", Peers: 7, Containers: 2, Indexers: 2}
}

func (f *fakeMesh) Apps(context.Context) ([]mesh.App, error) { return f.apps, nil }

func (f *fakeMesh) Picture(_ context.Context, app string) ([]byte, error) {
	if f.picture == nil {
		return nil, &mesh.Refused{Code: "no-app", Text: "No container has a picture of it.", Try: "Nothing is wrong."}
	}
	return f.picture(app)
}

func (f *fakeMesh) Launch(ctx context.Context, r mesh.LaunchRequest) (*mesh.Launched, error) {
	f.mu.Lock()
	f.launches = append(f.launches, r)
	f.mu.Unlock()
	if f.launch != nil {
		return f.launch(ctx, r)
	}
	return &mesh.Launched{Session: testSession, Peer: testPeer, Container: "12D3KooWContainer", Role: mesh.RoleOwner, Answer: "v=0\r\n",
		Proof: []byte("proof"), Certificate: []byte("certificate"), OwnerToken: testToken, PlayToken: "0d0d", WatchToken: "0e0e",
		Timing: mesh.Timing{Match: 1500 * time.Microsecond, Reserve: 2 * time.Millisecond, Signal: 3 * time.Millisecond}}, nil
}

func (f *fakeMesh) Join(ctx context.Context, r mesh.JoinRequest) (*mesh.Launched, error) {
	if f.join != nil {
		return f.join(ctx, r)
	}
	return &mesh.Launched{Session: r.Session, Peer: testPeer, Container: "12D3KooWContainer", Role: mesh.RoleWatch, Answer: "v=0\r\n"}, nil
}

func (f *fakeMesh) Trickle(_ context.Context, session, peer, token, fragment string) error {
	if f.trickle != nil {
		return f.trickle(session, peer, token, fragment)
	}
	return nil
}

func (f *fakeMesh) Restart(_ context.Context, session, peer, token, fragment string) (string, error) {
	if f.restart != nil {
		return f.restart(session, peer, token, fragment)
	}
	return "a=ice-ufrag:container\r\n", nil
}

func (f *fakeMesh) Leave(_ context.Context, session, peer, token string, end bool) error {
	f.mu.Lock()
	f.left = append(f.left, left{session, peer, token, end})
	f.mu.Unlock()
	if f.leave != nil {
		return f.leave(session, peer, token, end)
	}
	return nil
}

func (f *fakeMesh) Status(ctx context.Context, session, token string) (mesh.SessionStatus, error) {
	if f.status != nil {
		return f.status(ctx, session, token)
	}
	return mesh.SessionStatus{Session: session, Phase: "playing"}, nil
}

func (f *fakeMesh) Queue(ctx context.Context, ticket string) (<-chan mesh.QueueEvent, error) {
	if f.queue != nil {
		return f.queue(ctx, ticket)
	}
	return nil, &mesh.Refused{Code: "no-session", Text: "There is no such ticket.", Try: "Start again."}
}

func (f *fakeMesh) lastLaunch() mesh.LaunchRequest {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.launches) == 0 {
		return mesh.LaunchRequest{}
	}
	return f.launches[len(f.launches)-1]
}

// launched is how often a session was asked for.
func (f *fakeMesh) launched() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.launches)
}

func (f *fakeMesh) lefts() []left {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]left(nil), f.left...)
}

func newServer(t testing.TB, m mesh.Mesh, change func(*Options)) *Server {
	t.Helper()
	o := Options{Mesh: m}
	if change != nil {
		change(&o)
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// startServer serves on a free loopback port until the test ends.
func startServer(t testing.TB, m mesh.Mesh) *Server {
	t.Helper()
	s := newServer(t, m, func(o *Options) { o.Listen = "127.0.0.1:0" })
	if err := s.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = s.Stop(ctx) // open streams of a browser may outlive the second
	})
	return s
}

// testApps are three entries with the pictures of games of this repository.
func testApps() []mesh.App {
	id := func(b byte) string {
		h := make([]byte, 32)
		for i := range h {
			h[i] = b
		}
		return hex.EncodeToString(h)
	}
	return []mesh.App{
		{ID: id(0x31), Name: "novareef", Title: "Nova Reef", Description: "Dive through a reef of dying stars. Waves of drones, turrets and a leviathan at the end of each sector; gather shards to grow your guns.",
			Author: "framemesh", License: "Apache-2.0", Controls: []string{"Arrows or WASD steer.", "Space or Z fires.", "X drops a bomb.", "Enter pauses."},
			Seats: 1, Width: 640, Height: 360, FPS: 60, Containers: 2, SlotsFree: 3, MinPrice: 250000},
		{ID: id(0x72), Name: "duel", Title: "Light Duel", Description: "Two riders, one arena. Quick rounds for two, on one keyboard or by link.", Seats: 2, Width: 640, Height: 360, FPS: 60, Containers: 1, SlotsFree: 1, MinPrice: 120000},
		{ID: id(0xb5), Name: "latency", Title: "Latency card", Description: "A test card that carries its own clock.", Seats: 1, Width: 640, Height: 360, FPS: 60, Pointer: true, Containers: 2, SlotsFree: 0},
	}
}

func testPictures(app string) ([]byte, error) {
	name := map[string]string{}
	for _, a := range testApps() {
		name[a.ID] = a.Name
	}
	b, err := os.ReadFile(filepath.Join("..", "..", "gpu", "app", "games", name[app], "picture.png"))
	if err != nil {
		return nil, &mesh.Refused{Code: "no-app", Text: "No container has a picture of it.", Try: "Nothing is wrong."}
	}
	return b, nil
}

// testKey is a fixed Ed25519 identity.
func testKey(t testing.TB, b byte) (crypto.PrivKey, peer.ID) {
	t.Helper()
	seed := make([]byte, ed25519.SeedSize)
	for i := range seed {
		seed[i] = b
	}
	k, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seed))
	if err != nil {
		t.Fatal(err)
	}
	id, err := peer.IDFromPrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return k, id
}
