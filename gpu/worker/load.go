package worker

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"time"

	"github.com/framemesh/framemesh/gpu/app"
	"github.com/framemesh/framemesh/gpu/encode"
)

// snapshotFD is where the parent put the snapshot file: after stdin, stdout, stderr.
const snapshotFD = 3

// maxModule is the largest module file the child reads.
const maxModule = 64 << 20

// load does all that takes time before the first tick: module, state, encoders.
func load(conf config, sum [32]byte, open openFunc, log *slog.Logger) (*session, Info, error) {
	// Loading makes much garbage once: collecting it while it grows only makes the
	// player wait. Afterwards memory matters more, since there is a worker per session.
	debug.SetGCPercent(400)
	defer debug.SetGCPercent(50)
	start := time.Now()
	code, err := readModule(conf.Module, sum)
	if err != nil {
		return nil, Info{}, err
	}
	rt, err := open(context.Background(), code, app.Options{
		Seed: conf.Seed, MemoryLimit: conf.MemoryLimit, CacheDir: conf.CacheDir, Save: conf.Save, Log: log,
	})
	if err != nil {
		return nil, Info{}, loadErr(err)
	}
	s := &session{app: rt, thin: conf.Thin}
	loaded := false
	defer func() {
		if !loaded {
			s.close()
		}
	}()
	a := rt.Info()
	s.info = a
	info := Info{
		ABI: a.ABI, Width: a.Width, Height: a.Height, FPS: a.FPS, AudioRate: a.AudioRate, AudioChannels: a.AudioChannels,
		Seats: a.Seats, Pointer: a.Pointer, PointerLock: a.PointerLock,
	}
	info.Start.Module = time.Since(start)

	if conf.Snapshot {
		start = time.Now()
		s.snapshots = openSnapshots(os.NewFile(snapshotFD, "snapshot"), sum, conf.Seed)
		s.params = proofParams(conf, sum)
		_, s.provable = rt.(app.Viewer)
		info.Restored = s.restore(log)
		if info.Restored {
			info.Start.Restore = time.Since(start)
		}
		if err := s.record(info.Restored); err != nil {
			return nil, Info{}, err
		}
	}
	info.Tick = rt.NextTick()

	start = time.Now()
	if err := s.openEncoders(conf); err != nil {
		return nil, Info{}, err
	}
	info.Encoder = s.encoder
	info.Start.Encoder = time.Since(start)

	// Compiling and reading left garbage several times what the session needs.
	code = nil
	debug.FreeOSMemory()
	loaded = true
	return s, info, nil
}

// readModule reads the module and checks that it is the one asked for.
func readModule(path string, sum [32]byte) ([]byte, error) {
	fi, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if !fi.Mode().IsRegular() || fi.Size() > maxModule {
		return nil, fmt.Errorf("%w: %s is not a file of at most %d MiB", ErrRefused, path, maxModule>>20)
	}
	code, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if got := sha256.Sum256(code); got != sum {
		return nil, fmt.Errorf("%w: the module at %s has SHA-256 %x, not the one asked for, %x: fetch it again", ErrRefused, path, got, sum)
	}
	return code, nil
}

// restore goes on from the newest state that the app takes.
func (s *session) restore(log *slog.Logger) bool {
	for _, i := range s.snapshots.candidates() {
		state, tick, err := s.snapshots.load(i)
		if err == nil {
			err = s.putBack(state)
		}
		if err == nil {
			s.snapshots.drop()
			_, s.saves = s.app.Saved() // the parent has it
			return true
		}
		log.Warn("snapshot not restored", "tick", tick, "err", err)
	}
	s.snapshots.drop()
	return false
}

// openEncoders opens and warms up what codes picture and sound.
func (s *session) openEncoders(conf config) error {
	o := encode.Options{Width: s.info.Width, Height: s.info.Height, FPS: s.info.FPS, Bitrate: conf.Bitrate, Name: conf.Encoder}
	if o.Name == "" {
		o.Name = bestEncoder()
	}
	var err error
	if s.picture, err = encode.NewPicture(s.info.Width, s.info.Height); err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if s.video, err = encode.Open(o); err != nil {
		return fmt.Errorf("%w: %w", ErrEncoder, err)
	}
	s.encoder = o.Name
	// The first picture pays for the encoder's memory. The second is the first that
	// anybody sees, so it is a key frame again.
	if _, err := s.video.EncodePicture(s.picture); err != nil {
		return fmt.Errorf("%w: %w", ErrEncoder, err)
	}
	s.video.ForceKeyframe()

	if s.info.AudioRate == 0 {
		return nil
	}
	if s.info.AudioRate != encode.AudioRate {
		return fmt.Errorf("%w: sound at %d Hz, need %d", ErrRefused, s.info.AudioRate, encode.AudioRate)
	}
	if s.framer, err = encode.NewFramer(s.info.AudioChannels); err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if s.audio, err = encode.OpenAudio(0); err != nil {
		return fmt.Errorf("%w: %w", ErrEncoder, err)
	}
	return nil
}

// bestEncoder is the first of those compiled in; Open tries it and says why not.
func bestEncoder() string {
	if k := encode.Encoders(); len(k) > 0 {
		return k[0].Name
	}
	return ""
}
