package why

import "testing"

// Whatever a file holds, it is described or refused, and what is told of it is short.
func FuzzDescribe(f *testing.F) {
	f.Add([]byte("framemesh proof 1\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		x, file, err := Describe(b)
		answer := err == nil && x.Kind == KindAnswer
		if (err == nil && !answer) != (file != nil) {
			t.Fatal("neither a file nor an error, or both")
		}
		if err == nil && (len(x.ID) != 64 || x.Says == "" || len(x.Detail) > 200 || !answer && len(x.Seed) != 64 || answer && len(x.Report) != 64) {
			t.Errorf("%+v", x)
		}
	})
}
