//go:build cgo

package encode

import (
	"fmt"

	"github.com/pion/mediadevices/pkg/codec"
	"github.com/pion/mediadevices/pkg/codec/opus"
	"github.com/pion/mediadevices/pkg/io/audio"
	"github.com/pion/mediadevices/pkg/prop"
	"github.com/pion/mediadevices/pkg/wave"
)

// opusEncoder is libopus, compiled in. The library's pipeline copies each packet's
// samples twice, 4 KiB in 10 ms; the coding costs a hundred times that.
type opusEncoder struct {
	engine codec.ReadCloser
	next   wave.Int16Interleaved
	closed bool
}

var _ Audio = (*opusEncoder)(nil)

func openOpus(bitrate int) (Audio, error) {
	e := &opusEncoder{}
	e.next.Size = wave.ChunkInfo{Len: PacketLen, Channels: AudioChannels, SamplingRate: AudioRate}
	params, err := opus.NewParams()
	if err != nil {
		return nil, fmt.Errorf("encode: opus: %w", err)
	}
	params.BitRate, params.Latency = bitrate, opus.Latency10ms
	e.engine, err = params.BuildAudioEncoder(
		audio.ReaderFunc(func() (wave.Audio, func(), error) { return &e.next, func() {}, nil }),
		prop.Media{Audio: prop.Audio{SampleRate: AudioRate, ChannelCount: AudioChannels, Latency: PacketTime}})
	if err != nil {
		return nil, fmt.Errorf("encode: opus: %w", err)
	}
	return e, nil
}

func (e *opusEncoder) Encode(pcm []int16) ([]byte, error) {
	if e.closed {
		return nil, ErrClosed
	}
	if len(pcm) != AudioChannels*PacketLen {
		return nil, fmt.Errorf("encode: opus: %d values, need %d", len(pcm), AudioChannels*PacketLen)
	}
	e.next.Data = pcm
	b, release, err := e.engine.Read()
	if err != nil {
		return nil, fmt.Errorf("encode: opus: %w", err)
	}
	release()
	return b, nil
}

func (e *opusEncoder) Close() error {
	if e.closed {
		return nil
	}
	e.closed = true
	return e.engine.Close()
}
