package judge

import (
	"github.com/framemesh/framemesh/ledger/amount"
	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/proof"
)

// neutralQuality stands in for samples that nobody took: what a container has of which
// nothing was ever measured, so that being measured is worth something to the good ones.
const neutralQuality = economics.FirstQuality

// What costs nothing, and where nothing is left.
const (
	goodLaunchMS, badLaunchMS = 1_000, 10_000
	goodFirstMS, badFirstMS   = 2_000, 15_000
	goodP50MS, badP50MS       = 60, 250
	goodP95MS, badP95MS       = 120, 500
	goodLostPPM, badLostPPM   = 5_000, 100_000
	goodStalls, badStalls     = 0, 30 // a minute
)

// QualityPPM is how good a sample is, from 1 to 1,000,000: the product of the parts below,
// each in ppm and rounded down, in this order.
//
//	launch, first frame, p50, p95, lost: 1 up to the good value, falling in a straight line
//	to 0 at the bad one; what was not measured (0) is 1
//	frames: delivered / asked, at most 1
//	stalls: per minute, likewise from 0 to 30
//	cells: seen / asked, at most 1; 1 where none were asked
//	audit: 0 when it replayed differently, a half when it was refused
//
// The result is at least 1: 0 means not measured.
func QualityPPM(s *proof.Sample) uint32 {
	seconds := max(1, uint64(s.GetSeconds()))
	q := uint64(amount.PPM)
	for _, part := range []uint64{
		slope(uint64(s.GetLaunchMs()), goodLaunchMS, badLaunchMS),
		slope(uint64(s.GetFirstFrameMs()), goodFirstMS, badFirstMS),
		share(uint64(s.GetFpsMilli()), uint64(s.GetAskedFps())*1000),
		slope(uint64(s.GetP50Ms()), goodP50MS, badP50MS),
		slope(uint64(s.GetP95Ms()), goodP95MS, badP95MS),
		slope(uint64(s.GetStalls())*60/seconds, goodStalls, badStalls),
		slope(uint64(s.GetLostPpm()), goodLostPPM, badLostPPM),
		share(uint64(s.GetCellsSeen()), uint64(s.GetCellsAsked())),
		audited(s.GetAudit()),
	} {
		q = q * part / amount.PPM
	}
	return uint32(max(q, 1))
}

// slope falls from 1 at good to 0 at bad, in ppm.
func slope(v, good, bad uint64) uint64 {
	switch {
	case v <= good:
		return amount.PPM
	case v >= bad:
		return 0
	}
	return (bad - v) * amount.PPM / (bad - good)
}

// share is part of whole, at most 1, in ppm; 1 of nothing.
func share(part, whole uint64) uint64 {
	if whole == 0 {
		return amount.PPM
	}
	return min(part, whole) * amount.PPM / whole
}

func audited(outcome uint32) uint64 {
	switch outcome {
	case proof.AuditWrong:
		return 0
	case proof.AuditNotHad:
		return amount.PPM / 2
	}
	return amount.PPM
}
