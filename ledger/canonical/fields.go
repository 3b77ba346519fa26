package canonical

import "fmt"

// Fields checks what stands in a message's fields. Its errors wrap Err and name the field.
type Fields struct{ Err error }

// Wrong says what is wrong with a field.
func (f Fields) Wrong(name, format string, args ...any) error {
	return fmt.Errorf("%w: %s: %s", f.Err, name, fmt.Sprintf(format, args...))
}

// Sized refuses bytes of another length than n.
func (f Fields) Sized(name string, b []byte, n int) error {
	if len(b) != n {
		return f.Wrong(name, "%d bytes, must be %d", len(b), n)
	}
	return nil
}

// Optional refuses bytes that are neither none nor n.
func (f Fields) Optional(name string, b []byte, n int) error {
	if len(b) == 0 {
		return nil
	}
	return f.Sized(name, b, n)
}

// Within refuses numbers outside of lo … hi.
func (f Fields) Within(name string, v, lo, hi uint64) error {
	if v < lo || v > hi {
		return f.Wrong(name, "%d, must be %d to %d", v, lo, hi)
	}
	return nil
}

// First is the first error that is one.
func First(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
