package stream

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/cc"
	"github.com/pion/interceptor/pkg/gcc"
	"github.com/pion/interceptor/pkg/nack"
	"github.com/pion/interceptor/pkg/report"
	"github.com/pion/webrtc/v4"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/framemesh/framemesh/stream/rate"
)

// Defaults of a Config, bits per second.
const (
	DefaultBitrateMin   = 600_000
	DefaultBitrateStart = 4_000_000
	DefaultBitrateMax   = 8_000_000
)

// How long ICE waits. A page that vanished without a word is noticed after
// iceDisconnected and given up after iceFailed more.
const (
	iceDisconnected = 2 * time.Second
	iceFailed       = 3 * time.Second
	iceKeepalive    = 500 * time.Millisecond

	// pion waits a second for something better than a peer-reflexive candidate and two
	// for something better than a relay. Pages hide their host candidates behind mDNS
	// names, so peer-reflexive is the normal case here.
	waitSrflx = 50 * time.Millisecond
	waitPrflx = 0
	waitRelay = 400 * time.Millisecond

	// gatherWait bounds what STUN and TURN servers may delay an answer by. Host
	// candidates are there at once.
	gatherWait = 250 * time.Millisecond

	// restartWithin bounds a restart of ICE. It takes as long as an answer does.
	restartWithin = 5 * time.Second

	socketBuffer = 1 << 20 // bytes; a key frame leaves in one burst
	sctpBuffer   = 256 << 10
	sctpMessage  = 64<<10 - 1 // bytes; without it pion would collect messages of a gigabyte
)

// ICEServer is a STUN or TURN server that peers may use.
type ICEServer struct {
	URLs                 []string
	Username, Credential string
}

// Config is what an Engine needs. The zero value of a field means its default.
type Config struct {
	LoopbackOnly bool // answer with 127.0.0.1 alone and hear nobody else
	UDPPort      int  // that all sessions share; 0 = the kernel's choice
	ICEServers   []ICEServer

	BitrateMin, BitrateStart, BitrateMax int // bits per second
	MaxPeers                             int // peer connections per session, 1 to 64; 0 = DefaultMaxPeers

	Log        *slog.Logger
	Registerer prometheus.Registerer // nil: counted but not exported
	Now        func() time.Time

	conn net.PacketConn // tests put a bad network here
}

func (c Config) validate() (Config, error) {
	if c.BitrateMin == 0 {
		c.BitrateMin = DefaultBitrateMin
	}
	if c.BitrateMax == 0 {
		c.BitrateMax = max(DefaultBitrateMax, c.BitrateMin)
	}
	if c.BitrateStart == 0 {
		c.BitrateStart = min(max(DefaultBitrateStart, c.BitrateMin), c.BitrateMax)
	}
	if c.BitrateMin < 50_000 || c.BitrateStart < c.BitrateMin || c.BitrateMax < c.BitrateStart || c.BitrateMax > 200_000_000 {
		return c, fmt.Errorf("%w: bitrates must be 50000 ≤ min ≤ start ≤ max ≤ 200000000, not %d, %d, %d", ErrConfig, c.BitrateMin, c.BitrateStart, c.BitrateMax)
	}
	if c.MaxPeers == 0 {
		c.MaxPeers = DefaultMaxPeers
	}
	if c.MaxPeers < 1 || c.MaxPeers > 64 {
		return c, fmt.Errorf("%w: %d peers per session; use 1 to 64", ErrConfig, c.MaxPeers)
	}
	if c.UDPPort < 0 || c.UDPPort > 65535 {
		return c, fmt.Errorf("%w: UDP port %d; use 0 to 65535", ErrConfig, c.UDPPort)
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c, nil
}

// Engine holds what all sessions of a node share.
type Engine struct {
	config      Config
	api         *webrtc.API
	cert        webrtc.Certificate
	fingerprint [32]byte
	mux         ice.UDPMux
	line        *line
	metrics     *metrics

	mu       sync.Mutex // guards what follows, and that an estimator goes to its own connection
	made     cc.BandwidthEstimator
	sessions map[*Session]struct{} // with those that are ending
	closed   bool
}

// NewEngine opens the UDP port and makes the certificate. It returns [ErrConfig] for
// a configuration that cannot work and the error of a port that cannot be had.
func NewEngine(config Config) (*Engine, error) {
	config, err := config.validate()
	if err != nil {
		return nil, err
	}
	e := &Engine{config: config, sessions: map[*Session]struct{}{}, metrics: newMetrics(config.Registerer)}
	if err := e.makeCertificate(); err != nil {
		return nil, err
	}
	if e.line, err = newLine(); err != nil {
		return nil, err
	}
	if err := e.listen(); err != nil {
		return nil, err
	}
	if e.api, err = e.makeAPI(); err != nil {
		_ = e.mux.Close()
		return nil, err
	}
	return e, nil
}

// makeCertificate makes one ECDSA P-256 certificate for the life of the engine: a key
// per session would cost each launch its making, and would prove no more, since the
// proof of an answer binds the fingerprint to its session.
func (e *Engine) makeCertificate() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("stream: make DTLS key: %w", err)
	}
	cert, err := webrtc.GenerateCertificate(key)
	if err != nil {
		return fmt.Errorf("stream: make DTLS certificate: %w", err)
	}
	prints, err := cert.GetFingerprints()
	if err != nil || len(prints) == 0 {
		return fmt.Errorf("stream: fingerprint of the DTLS certificate: %w", err)
	}
	raw, err := hex.DecodeString(strings.ReplaceAll(prints[0].Value, ":", ""))
	if err != nil || len(raw) != len(e.fingerprint) {
		return fmt.Errorf("stream: fingerprint %q is not SHA-256", prints[0].Value)
	}
	e.cert, e.fingerprint = *cert, [32]byte(raw)
	return nil
}

func (e *Engine) listen() error {
	logs := pionLogs{e.config.Log}
	conn := e.config.conn
	if conn == nil && e.config.LoopbackOnly {
		udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: e.config.UDPPort})
		if err != nil {
			return fmt.Errorf("stream: UDP port %d: %w; choose another port, or 0 for any", e.config.UDPPort, err)
		}
		// Best effort: the kernel may grant less.
		_, _ = udp.SetReadBuffer(socketBuffer), udp.SetWriteBuffer(socketBuffer)
		conn = socket{udp, &e.line.cut}
	}
	if conn != nil {
		e.mux = webrtc.NewICEUDPMux(logs.NewLogger("ice"), conn)
		return nil
	}
	m, err := ice.NewMultiUDPMuxFromPort(e.config.UDPPort, ice.UDPMuxFromPortWithLogger(logs.NewLogger("ice")), ice.UDPMuxFromPortWithNet(e.line),
		ice.UDPMuxFromPortWithReadBufferSize(socketBuffer), ice.UDPMuxFromPortWithWriteBufferSize(socketBuffer))
	if err != nil {
		return fmt.Errorf("stream: UDP port %d: %w; choose another port, or 0 for any", e.config.UDPPort, err)
	}
	e.mux = m
	return nil
}

const (
	playoutDelayURI = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
	payloadH264     = 102
	payloadOpus     = 111
	videoClock      = 90_000
	audioClock      = 48_000
)

func (e *Engine) makeAPI() (*webrtc.API, error) {
	m := &webrtc.MediaEngine{}
	err := errors.Join(
		m.RegisterCodec(webrtc.RTPCodecParameters{PayloadType: payloadH264, RTPCodecCapability: h264}, webrtc.RTPCodecTypeVideo),
		m.RegisterCodec(webrtc.RTPCodecParameters{PayloadType: payloadOpus, RTPCodecCapability: opus}, webrtc.RTPCodecTypeAudio),
		m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: playoutDelayURI}, webrtc.RTPCodecTypeVideo),
	)
	if err != nil {
		return nil, fmt.Errorf("stream: register codecs: %w", err)
	}
	m.RegisterFeedback(webrtc.RTCPFeedback{Type: "ccm", Parameter: "fir"}, webrtc.RTPCodecTypeVideo)
	m.RegisterFeedback(webrtc.RTCPFeedback{Type: webrtc.TypeRTCPFBTransportCC}, webrtc.RTPCodecTypeVideo)
	m.RegisterFeedback(webrtc.RTCPFeedback{Type: webrtc.TypeRTCPFBTransportCC}, webrtc.RTPCodecTypeAudio)

	logs := pionLogs{e.config.Log}
	reg := &interceptor.Registry{}
	control, err := cc.NewInterceptor(func() (cc.BandwidthEstimator, error) {
		return gcc.NewSendSideBWE(
			gcc.SendSideBWEInitialBitrate(e.config.BitrateStart),
			gcc.SendSideBWEMinBitrate(e.config.BitrateMin),
			gcc.SendSideBWEMaxBitrate(2*e.config.BitrateMax), // headroom, so that the maximum is held without touching the edge
			gcc.SendSideBWEPacer(newBurst()),                 // packets of a frame leave together: pacing is latency
			gcc.WithLoggerFactory(logs),
		)
	})
	if err != nil {
		return nil, fmt.Errorf("stream: bandwidth estimator: %w", err)
	}
	control.OnNewPeerConnection(func(_ string, est cc.BandwidthEstimator) { e.made = est })
	// The order matters: what is added later sees a packet earlier. Repeats of NACK must
	// get fresh transport-wide numbers and be seen by the estimator.
	reg.Add(control)
	err = errors.Join(webrtc.ConfigureTWCCHeaderExtensionSender(m, reg),
		webrtc.ConfigureRTCPReportsWithOptions(reg, []report.ReceiverOption{report.WithReceiverLoggerFactory(logs)}, report.WithSenderLoggerFactory(logs)))
	reg.Add(repeatLimits{})
	err = errors.Join(err, webrtc.ConfigureNackWithOptions(m, reg,
		[]nack.GeneratorOption{nack.WithGeneratorLoggerFactory(logs)}, nack.WithResponderLoggerFactory(logs)))
	if err != nil {
		return nil, fmt.Errorf("stream: interceptors: %w", err)
	}

	s := webrtc.SettingEngine{LoggerFactory: logs}
	s.SetICEUDPMux(e.mux)
	s.SetNet(e.line) // for the sockets of STUN
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6})
	if e.config.LoopbackOnly {
		s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
		s.SetIncludeLoopbackCandidate(true)
		s.SetIPFilter(func(ip net.IP) bool { return ip.IsLoopback() })
	}
	s.SetICETimeouts(iceDisconnected, iceFailed, iceKeepalive)
	s.SetSrflxAcceptanceMinWait(waitSrflx)
	s.SetPrflxAcceptanceMinWait(waitPrflx)
	s.SetRelayAcceptanceMinWait(waitRelay)
	s.SetSCTPMaxReceiveBufferSize(sctpBuffer)
	s.SetSCTPMaxMessageSize(sctpMessage)
	return webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithInterceptorRegistry(reg), webrtc.WithSettingEngine(s)), nil
}

// connection makes a peer connection and hands out the estimator that came with it.
func (e *Engine) connection() (*webrtc.PeerConnection, cc.BandwidthEstimator, error) {
	cfg := webrtc.Configuration{BundlePolicy: webrtc.BundlePolicyMaxBundle, Certificates: []webrtc.Certificate{e.cert}}
	for _, s := range e.config.ICEServers {
		cfg.ICEServers = append(cfg.ICEServers, webrtc.ICEServer{URLs: s.URLs, Username: s.Username, Credential: s.Credential})
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, nil, ErrClosed
	}
	pc, err := e.api.NewPeerConnection(cfg)
	if err != nil {
		return nil, nil, fmt.Errorf("stream: new peer connection: %w", err)
	}
	est := e.made
	e.made = nil
	return pc, est, nil
}

// Fingerprint is the SHA-256 fingerprint of the DTLS certificate that every answer of
// this engine carries.
func (e *Engine) Fingerprint() [32]byte { return e.fingerprint }

// ICEServers are the servers that pages should be told of.
func (e *Engine) ICEServers() []ICEServer { return e.config.ICEServers }

// Addresses are the UDP addresses that media flows through.
func (e *Engine) Addresses() []net.Addr { return e.mux.GetListenAddresses() }

func (e *Engine) limits() rate.Limits {
	return rate.Limits{Min: e.config.BitrateMin, Start: e.config.BitrateStart, Max: e.config.BitrateMax}
}

// Close ends all sessions and frees the port. The context bounds how long farewells
// may take.
func (e *Engine) Close(ctx context.Context) error {
	e.mu.Lock()
	e.closed = true
	open := slices.Collect(maps.Keys(e.sessions))
	e.mu.Unlock()
	var errs []error
	for _, s := range open {
		errs = append(errs, s.Close(ctx))
	}
	return errors.Join(append(errs, e.mux.Close())...)
}

// Abandon ends all sessions as a power cut would: from the call on no packet leaves, and
// so no peer hears a goodbye of any layer. It waits for nothing; Close waits for what is
// left of it.
func (e *Engine) Abandon() {
	e.line.cut.Store(true)
	e.mu.Lock()
	e.closed = true
	left := slices.Collect(maps.Keys(e.sessions))
	e.mu.Unlock()
	_ = e.mux.Close()
	for _, s := range left {
		s.shut()
	}
}

// forget strikes out a session of which nothing runs any more.
func (e *Engine) forget(s *Session) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.sessions, s)
}
