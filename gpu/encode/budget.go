package encode

// budget is a leaky bucket over coded bytes: it fills with what the encoder makes
// and empties at the target rate. While it is over its brim pictures are left out,
// which holds the rate on content that the encoder cannot code small enough at its
// coarsest quantiser. It is pure arithmetic, one step per picture.
type budget struct {
	rate  int // bit/s
	fps   int
	level int // bytes over the target so far, ≥ 0
}

func newBudget(rate, fps int) budget { return budget{rate: rate, fps: fps} }

// brim is the burst that passes: a quarter second of the rate. A key frame of a
// detailed picture is about that large, and must not freeze what follows.
func (b *budget) brim() int { return b.rate / 8 / 4 }

// full tells that the next picture should be left out.
func (b *budget) full() bool { return b.level > b.brim() }

// spend books a picture of n bytes and the time until the next.
func (b *budget) spend(n int) {
	b.level = max(0, b.level+n-b.rate/8/b.fps)
	// A key frame far over the brim shall not stop the picture for more than half a
	// second: what is above that is forgiven.
	b.level = min(b.level, b.brim()+b.rate/8/2)
}
