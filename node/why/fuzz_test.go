package why

import "testing"

// Whatever a file holds, it is described or refused, and what is told of it is short.
func FuzzDescribe(f *testing.F) {
	f.Add([]byte("framemesh proof 1\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		x, file, err := Describe(b)
		if (err == nil) != (file != nil) {
			t.Fatal("neither a file nor an error, or both")
		}
		if err == nil && (len(x.ID) != 64 || x.Says == "" || len(x.Detail) > 200 || len(x.Seed) != 64) {
			t.Errorf("%+v", x)
		}
	})
}
