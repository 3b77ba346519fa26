package key

// charset are the characters of bech32, by their value.
const charset = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"

// Lengths of an address's text: prefix, separator, 32 bytes in groups of five bits, checksum.
const (
	groups   = (Size*8 + 4) / 5
	checksum = 6
	textSize = len(Prefix) + 1 + groups + checksum
)

// bech32m writes the text of an address. Every event of a block names addresses, and the
// library takes five times as long and several allocations; it still reads what this writes.
func bech32m(a *Address) string {
	var text [textSize]byte
	at := copy(text[:], Prefix)
	text[at] = '1'
	at++
	check := uint32(1)
	for i := range len(Prefix) {
		check = polymod(check, Prefix[i]>>5)
	}
	check = polymod(check, 0)
	for i := range len(Prefix) {
		check = polymod(check, Prefix[i]&31)
	}
	bits, have := uint32(0), 0
	write := func(v byte) {
		check = polymod(check, v)
		text[at] = charset[v]
		at++
	}
	for _, b := range a {
		bits, have = bits<<8|uint32(b), have+8
		for have >= 5 {
			have -= 5
			write(byte(bits>>have) & 31)
		}
	}
	if have > 0 {
		write(byte(bits<<(5-have)) & 31)
	}
	for range checksum {
		check = polymod(check, 0)
	}
	check ^= 0x2bc830a3 // the m of bech32m
	for i := range checksum {
		text[at+i] = charset[check>>(5*(checksum-1-i))&31]
	}
	return string(text[:])
}

// polymod is one step of the checksum of BIP 350.
func polymod(check uint32, v byte) uint32 {
	return (check&0x1ffffff)<<5 ^ uint32(v) ^ carried[check>>25&31]
}

// carried is what the five bits that a step pushes out put back, by their value.
var carried = func() (table [32]uint32) {
	for top := range uint32(len(table)) {
		for i, g := range [5]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3} {
			table[top] ^= g & -(top >> i & 1)
		}
	}
	return table
}()
