package device

import "time"

// Cost is what one picture of the reference session takes on one core, in processor
// time. The reference session is 640×360 at 60 pictures a second.
type Cost struct {
	Draw    time.Duration `json:"draw"`    // a software-drawn picture like a small game's
	Convert time.Duration `json:"convert"` // RGBA to I420
	Encode  time.Duration `json:"encode"`
}

// Capacity is how much a machine carries.
type Capacity struct {
	Cost    Cost   `json:"cost"`
	Encoder string `json:"encoder"`
	// Slots is the number of reference sessions that run at once with room to spare.
	Slots int `json:"slots"`
	// ScoreMilli is the slot score v0: thousandths of reference sessions that the whole
	// machine would carry with no room to spare. It ranks machines by what they code,
	// until the render-points kernel measures what they draw; ScoreVersion tells
	// the two apart.
	ScoreMilli   int    `json:"score_milli"`
	ScoreVersion string `json:"score_version"`
}

// SlotScoreV0 is the ScoreVersion of the formula in Rate.
const SlotScoreV0 = "slot-score-v0"

const (
	referenceFPS = 60
	// Overhead is what a session takes per picture besides draw, convert and encode:
	// sound, pipe, snapshots, encryption and sending. Measured with the test card.
	Overhead = 1500 * time.Microsecond
	// Headroom is the part of the machine, in percent, that slots leave to the node
	// itself, to games that draw more than the reference, and to the owner.
	Headroom = 30
	// SlotMemory is what a slot may take with its game, bytes.
	SlotMemory = 192 << 20
	maxSlots   = 256
)

// Rate turns a cost into slots and score:
//
//	session = 60 · (draw + convert + encode + 1.5 ms)        core-seconds per second
//	slots   = ⌊cores · 70 % / session⌋                       1 … memory/2 / 192 MiB, 256
//	score   = ⌊1000 · cores / session⌋
//
// It is integer arithmetic in ns. memory is that of the machine in bytes; 0 means
// unknown and does not bound the slots. At least one slot: whoever starts a
// container wants to share, and a slow session is for the quality record to judge.
func Rate(c Cost, encoder string, cores int, memory uint64) Capacity {
	session := max(int64(referenceFPS*(max(c.Draw, 0)+max(c.Convert, 0)+max(c.Encode, 0)+Overhead)), 1)
	machine := int64(max(cores, 1)) * int64(time.Second)
	slots := machine / 100 * (100 - Headroom) / session
	if memory > 0 {
		slots = min(slots, int64(min(memory/2/SlotMemory, maxSlots)))
	}
	return Capacity{
		Cost: c, Encoder: encoder,
		Slots:      int(min(max(slots, 1), maxSlots)),
		ScoreMilli: int(machine * 1000 / session), ScoreVersion: SlotScoreV0,
	}
}
