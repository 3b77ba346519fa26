package round

import "errors"

// Errors of a Round. What carries one of the refusals was ignored; it changes no verdict.
var (
	ErrSetup = errors.New("round: setup")
	ErrSaved = errors.New("round: saved state")

	ErrForeign   = errors.New("round: of another epoch, batch or attempt")      // refused
	ErrMember    = errors.New("round: not by a member who may say that")        // refused
	ErrEarly     = errors.New("round: before the round began")                  // refused
	ErrClosed    = errors.New("round: after the deadline")                      // refused
	ErrDuplicate = errors.New("round: said before")                             // refused
	ErrReveal    = errors.New("round: reveals something that nobody bound")     // refused
	ErrMalformed = errors.New("round: does not fit the kernel or the question") // refused
	ErrDraft     = errors.New("round: not what the votes say")                  // refused
)

// refusals are counted each by itself.
var refusals = [...]error{ErrForeign, ErrMember, ErrEarly, ErrClosed, ErrDuplicate, ErrReveal, ErrMalformed, ErrDraft}
