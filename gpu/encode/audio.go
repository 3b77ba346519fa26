package encode

import (
	"fmt"
	"time"
)

// Sound is coded as Opus at 48 kHz in packets of 10 ms: the shortest that costs
// little, since each adds its length to the latency.
const (
	AudioRate     = 48000
	AudioChannels = 2
	PacketLen     = AudioRate / 100 // samples of each channel in a packet
	PacketTime    = 10 * time.Millisecond
)

// Audio codes sound, one packet at a time.
type Audio interface {
	// Encode codes exactly PacketLen stereo samples (interleaved, 2·PacketLen values)
	// into an Opus packet, valid until the next call.
	Encode(pcm []int16) ([]byte, error)
	Close() error
}

// OpenAudio opens the Opus encoder for a bitrate in bit/s; 0 means 96 kbit/s.
func OpenAudio(bitrate int) (Audio, error) {
	if bitrate == 0 {
		bitrate = 96_000
	}
	if bitrate < 6_000 || bitrate > 510_000 {
		return nil, fmt.Errorf("encode: %d bit/s is out of Opus' range", bitrate)
	}
	return openOpus(bitrate)
}

// Framer cuts an app's sound, which comes in pieces as long as a tick, into packets.
// It keeps at most a packet's worth between calls and never allocates after New.
type Framer struct {
	channels int
	pcm      []int16 // interleaved stereo, up to one packet
}

// NewFramer makes one for sound of one or two channels at AudioRate.
func NewFramer(channels int) (*Framer, error) {
	if channels != 1 && channels != 2 {
		return nil, fmt.Errorf("encode: %d audio channels, need 1 or 2", channels)
	}
	return &Framer{channels: channels, pcm: make([]int16, 0, AudioChannels*PacketLen)}, nil
}

// Pending is the number of samples of each channel that wait for a full packet.
func (f *Framer) Pending() int { return len(f.pcm) / AudioChannels }

// Push adds interleaved samples and calls emit for each packet that becomes full;
// its argument is valid during the call. Mono goes to both sides. It stops at the
// first error of emit, and then drops what it was given.
func (f *Framer) Push(pcm []int16, emit func(packet []int16) error) error {
	pcm = pcm[:len(pcm)/f.channels*f.channels]
	for len(pcm) > 0 {
		free := cap(f.pcm) - len(f.pcm)
		if f.channels == 2 {
			n := min(free, len(pcm))
			f.pcm = append(f.pcm, pcm[:n]...)
			pcm = pcm[n:]
		} else {
			n := min(free/2, len(pcm))
			for _, s := range pcm[:n] {
				f.pcm = append(f.pcm, s, s)
			}
			pcm = pcm[n:]
		}
		if len(f.pcm) == cap(f.pcm) {
			err := emit(f.pcm)
			f.pcm = f.pcm[:0]
			if err != nil {
				return err
			}
		}
	}
	return nil
}
