package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// openTerminal makes a terminal and the keyboard of whoever sits at it.
func openTerminal(t *testing.T) (person, tty *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no terminals here: %v", err)
		}
		t.Skipf("no terminals here: %v", err)
	}
	t.Cleanup(func() { _ = person.Close() })
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tty.Close() })
	return person, tty
}

// typist writes keys once it has been asked, as a person does.
type typist struct {
	bytes.Buffer
	person io.Writer
	keys   string
}

func (y *typist) Write(p []byte) (int, error) {
	if y.keys != "" {
		keys := y.keys
		y.keys = ""
		if _, err := io.WriteString(y.person, keys); err != nil {
			return 0, err
		}
	}
	return y.Buffer.Write(p)
}

// A passphrase is not shown; Ctrl-D and Ctrl-C end the question; the terminal is as before.
func TestAPassphraseIsTyped(t *testing.T) {
	person, tty := openTerminal(t)
	before, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, keys, want string
		err              error
	}{
		{"enter", "play-money\r", "play-money", nil},
		{"corrected", "plä\x7fay\r", "play", nil},
		{"ctrl-d", "\x04", "", errNoPassphrase},
		{"ctrl-c", "half\x03", "", errInterrupted},
	} {
		t.Run(tc.name, func(t *testing.T) {
			y := &typist{person: person, keys: tc.keys}
			got, err := ask(t.Context(), y, tty, "passphrase")
			if got != tc.want || !errors.Is(err, tc.err) {
				t.Errorf("%q, %v", got, err)
			}
			var h hint
			if tc.err == errNoPassphrase && (!errors.As(err, &h) || !strings.Contains(h.try, "--passphrase-file")) {
				t.Errorf("what to try is missing: %v", err)
			}
			if said := y.String(); !strings.HasPrefix(said, "passphrase: ") || !strings.HasSuffix(said, "\n") || strings.Contains(said, "pl") || strings.Contains(said, "half") {
				t.Errorf("it showed %q", said)
			}
			after, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
			if err != nil || *after != *before {
				t.Errorf("the terminal is left as %+v, was %+v, %v", after, before, err)
			}
		})
	}
}

// What is typed ahead is there for the next question.
func TestAPassphraseIsTypedAhead(t *testing.T) {
	person, tty := openTerminal(t)
	y := &typist{person: person, keys: "one\rtwo\r"}
	for _, want := range []string{"one", "two"} {
		if got, err := ask(t.Context(), y, tty, "passphrase"); got != want || err != nil {
			t.Errorf("%q, %v; want %q", got, err, want)
		}
	}
}

// A signal while somebody is asked gives the terminal its echo back.
func TestASignalAtAQuestion(t *testing.T) {
	_, tty := openTerminal(t)
	before, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := ask(ctx, io.Discard, tty, "passphrase"); !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
	if after, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS); err != nil || *after != *before {
		t.Errorf("the terminal is left as %+v, was %+v, %v", after, before, err)
	}
}
