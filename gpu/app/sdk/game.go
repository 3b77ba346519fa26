package sdk

// SampleRate is the rate of every game's sound, in sample frames per second.
const SampleRate = 48000

// MaxSave is the largest save a host keeps for one app, in bytes.
const MaxSave = 64 << 10

// Info is what a game asks of its host. It must not change after the game
// was registered.
type Info struct {
	Width, Height int  // picture in pixels, both even, 16..1920 × 16..1080
	FPS           int  // ticks per second, 1..120
	Silent        bool // true: the game makes no sound at all
	Seats         int  // players at once, 1..4
	Pointer       bool // the game reads the mouse or touch position
	PointerLock   bool // the game wants relative mouse motion (aiming)
	WallClock     bool // the game wants Input.WallMS
}

// Game is what an app implements. The three methods are never called
// concurrently.
type Game interface {
	// Info describes the picture and the input; it is asked once, before Init.
	Info() Info
	// Init prepares tables, art and the first state. All memory a game needs
	// is allocated here. seed is the only source of randomness.
	Init(seed uint64)
	// Tick advances the game by 1/FPS s and draws the frame. The picture of
	// the tick before is still in pic, so a game that redraws everything
	// starts with Clear or CopyFrom.
	Tick(in *Input, pic *Canvas, snd *Synth)
}

// Sizes of the blocks shared with the host, in bytes.
const (
	inputBytes = 352
	seatBytes  = 80
	seatOffset = 32
)

// infoWord indexes the eight words that fm_info points at.
const (
	flagPointer     = 1 << 0
	flagPointerLock = 1 << 1
	flagWallClock   = 1 << 2
)

// Console owns one game and the blocks that it shares with its host: input
// in, picture and sound out. The exports of a built module drive one; tests
// drive their own.
type Console struct {
	game  Game
	info  Info
	words [8]uint32
	block [inputBytes]byte
	in    Input
	pic   Canvas
	snd   Synth
	// audio[0] is the number of sample frames of the last tick, then one word
	// per frame: left in the low half, right in the high half.
	audio []uint32
	// due carries the fraction of a sample frame from tick to tick, in 1/FPS.
	due int
}

// NewConsole puts a game on a console. Init must be called before Tick.
func NewConsole(g Game) *Console {
	c := &Console{game: g, info: g.Info()}
	c.words = [8]uint32{uint32(c.info.Width), uint32(c.info.Height), uint32(c.info.FPS), SampleRate, 2, uint32(c.info.Seats), 0, 0}
	if c.info.Silent {
		c.words[3], c.words[4] = 0, 0
	}
	if c.info.Pointer {
		c.words[6] |= flagPointer
	}
	if c.info.PointerLock {
		c.words[6] |= flagPointerLock
	}
	if c.info.WallClock {
		c.words[6] |= flagWallClock
	}
	c.pic = *NewCanvas(c.info.Width, c.info.Height)
	c.audio = make([]uint32, 1+SampleRate/max(c.info.FPS, 1)+1)
	return c
}

// Init starts the game afresh from a seed.
func (c *Console) Init(seed uint64) {
	c.in = Input{}
	c.snd.reset()
	c.due = 0
	c.game.Init(seed)
}

// Tick runs one tick with the input block as it stands and fills the
// picture and the sound.
func (c *Console) Tick() {
	c.in.decode(&c.block)
	c.pic.OX, c.pic.OY = 0, 0
	c.game.Tick(&c.in, &c.pic, &c.snd)
	if c.info.Silent {
		return
	}
	c.due += SampleRate
	frames := c.due / c.info.FPS
	c.due -= frames * c.info.FPS
	c.audio[0] = uint32(frames)
	c.snd.mix(c.audio[1 : 1+frames])
}

// Input is the block that the host writes before each tick; its layout is
// that of the ABI. It lets tests press keys.
func (c *Console) Input() *[352]byte { return &c.block }

// Picture is the canvas of the last tick.
func (c *Console) Picture() *Canvas { return &c.pic }

// Sound is the sound of the last tick: one word per sample frame, the left
// s16 in its low half and the right s16 in its high half.
func (c *Console) Sound() []uint32 { return c.audio[1 : 1+c.audio[0]] }
