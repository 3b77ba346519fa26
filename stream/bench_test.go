package stream

import (
	"fmt"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
)

// BenchmarkWriteVideo is what a picture costs from the coded unit to the kernel, at
// 4 Mbit/s and 60 pictures a second, on loopback with everything that real sessions
// have: SRTP, transport-wide numbers, the store for repeats, the bandwidth estimator.
func BenchmarkWriteVideo(b *testing.B) {
	for _, peers := range []int{1, 4} {
		b.Run(fmt.Sprintf("peers=%d", peers), func(b *testing.B) {
			e, err := NewEngine(Config{LoopbackOnly: true})
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = e.Close(b.Context()) }()
			a := &app{}
			s, err := e.NewSession("5e55", a, SessionInfo{Width: 640, Height: 360, FPS: 60})
			if err != nil {
				b.Fatal(err)
			}
			k := &kit{t: b, engine: e, session: s, app: a}
			for i := range peers {
				pc, _, ctl := rawPeer(b)
				opened := make(chan struct{})
				ctl.OnOpen(func() { close(opened) })
				pc.OnTrack(func(t *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
					buf := make([]byte, 1500)
					for {
						if _, _, err := t.Read(buf); err != nil {
							return
						}
					}
				})
				role := RoleWatch
				if i == 0 {
					role = RoleOwner
				}
				k.answerRaw(pc, role)
				<-opened
			}
			until(b, "all joined", func() bool { return a.count(func() int { return len(a.joined) }) == peers })
			key, delta := picture(true, 8300), picture(false, 4_000_000/8/60)
			if err := s.WriteVideo(key, true, 0); err != nil {
				b.Fatal(err)
			}
			pts := time.Duration(0)
			b.ReportAllocs()
			for b.Loop() {
				pts += time.Second / 60
				if err := s.WriteVideo(delta, false, pts); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
