package control

// TCell is the type of a [Cell].
const TCell = "cell"

// cellNonce is the length of a cell's nonce in bytes.
const cellNonce = 8

// Cell asks for a challenge: the next two coded pictures show the strip that the nonce
// gives, see docs/spec/quality.md. Every page asks now and then, so that those who look at
// the answer are not known by asking.
type Cell struct {
	Nonce string `json:"nonce"` // 8 bytes in hex
}

func (Cell) kind() string { return TCell }

// cellFromPage reads a Cell.
func cellFromPage(b []byte) (Message, error) {
	m, err := decode[Cell](b)
	if err == nil {
		err = unhex(make([]byte, cellNonce), m.Nonce)
	}
	return m, err
}
