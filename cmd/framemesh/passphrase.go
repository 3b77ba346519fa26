package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync/atomic"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// passphraseEnv is where scripts leave a passphrase; people type it.
const passphraseEnv = "FRAMEMESH_PASSPHRASE"

// maxPassphrase bounds a passphrase in bytes.
const maxPassphrase = 1 << 10

// errNoPassphrase: nobody can be asked.
var errNoPassphrase = errors.New("no passphrase")

// passphrase gets one from file, from the environment, or from the terminal without echo;
// a new one is typed twice.
func passphrase(c *cobra.Command, file, prompt string, twice bool) (string, error) {
	if file != "" {
		return passphraseFrom(c.ErrOrStderr(), file)
	}
	if p, ok := os.LookupEnv(passphraseEnv); ok {
		return p, nil
	}
	in, ok := terminal(c.InOrStdin())
	if !ok {
		return "", withHint(fmt.Errorf("%w: standard input is no terminal to ask at", errNoPassphrase), "--passphrase-file with a file of mode 0600, or "+passphraseEnv)
	}
	p, err := ask(c.Context(), c.ErrOrStderr(), in, prompt)
	if err != nil || !twice {
		return p, err
	}
	again, err := ask(c.Context(), c.ErrOrStderr(), in, "the same again")
	if err != nil {
		return "", err
	}
	if again != p {
		return "", withHint(errors.New("the two passphrases differ"), "again; nothing was written")
	}
	return p, nil
}

// passphraseFrom reads the first line of a file, and warns when others can read it too.
func passphraseFrom(w io.Writer, path string) (string, error) {
	b, err := readLimited(path, maxPassphrase)
	if err != nil {
		return "", err
	}
	if st, err := os.Stat(path); err == nil && runtime.GOOS != "windows" && st.Mode().IsRegular() && st.Mode().Perm()&0o077 != 0 {
		fmt.Fprintf(w, "warning: other users can read the passphrase in %s; run chmod 600 %s\n", path, path)
	}
	line, _, _ := strings.Cut(string(b), "\n")
	if line = strings.TrimSuffix(line, "\r"); line == "" {
		return "", withHint(fmt.Errorf("%w: the first line of %s is empty", errNoPassphrase, path), "a file that holds the passphrase alone")
	}
	return line, nil
}

// terminal says whether r is one, and which.
func terminal(r any) (f *os.File, ok bool) {
	f, is := r.(*os.File)
	if !is || !term.IsTerminal(int(f.Fd())) {
		return nil, false
	}
	return f, true
}

// errInterrupted: Ctrl-C was pressed at a question.
var errInterrupted = errors.New("interrupted")

// ask reads a line without echo. Ctrl-C and Ctrl-D end it, and the terminal has its echo back.
func ask(ctx context.Context, w io.Writer, in *os.File, prompt string) (string, error) {
	fd := int(in.Fd())
	before, err := term.MakeRaw(fd)
	if err != nil {
		return "", withHint(fmt.Errorf("reading the passphrase: %w", err), "--passphrase-file")
	}
	keys := &keyboard{in: in}
	text, err := typed(ctx, func() (string, error) {
		return term.NewTerminal(struct {
			io.Reader
			io.Writer
		}{keys, w}, "").ReadPassword(prompt + ": ")
	})
	restored := term.Restore(fd, before)
	if ctx.Err() != nil || err != nil {
		fmt.Fprintln(w)
	}
	switch {
	case ctx.Err() != nil:
		return "", errors.Join(err, restored)
	case errors.Is(err, io.EOF) && keys.interrupted.Load():
		return "", errInterrupted
	case errors.Is(err, io.EOF):
		return "", withHint(fmt.Errorf("%w: the input ended where it was asked for", errNoPassphrase), "again, or --passphrase-file with a file of mode 0600, or "+passphraseEnv)
	case err == nil:
		err = restored
	}
	if err != nil {
		return "", withHint(fmt.Errorf("reading the passphrase: %w", err), "--passphrase-file")
	}
	return text, nil
}

// keyboard gives one key after the other, so that what is typed ahead is there for the next
// question, and knows Ctrl-C from Ctrl-D, which end a line in the same way.
type keyboard struct {
	in          io.Reader
	interrupted atomic.Bool
}

// Read implements io.Reader.
func (k *keyboard) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, err := k.in.Read(p[:1])
	if n == 1 && p[0] == 3 {
		k.interrupted.Store(true)
	}
	return n, err
}

// typed waits for what a person types, or until ctx ends. A read of a terminal cannot be taken
// back: it is left behind, as the command ends then.
func typed(ctx context.Context, read func() (string, error)) (string, error) {
	type answer struct {
		text string
		err  error
	}
	done := make(chan answer, 1)
	go func() {
		text, err := read()
		done <- answer{text, err}
	}()
	select {
	case a := <-done:
		return a.text, a.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// confirm asks before something that cannot be taken back. Where nobody can be asked, it
// must have been said beforehand.
func confirm(c *cobra.Command, yes bool, what string) error {
	if yes {
		return nil
	}
	if _, ok := terminal(c.InOrStdin()); !ok {
		return withHint(fmt.Errorf("%s: not without being asked, and standard input is no terminal", what), "--yes to say so beforehand")
	}
	fmt.Fprintf(c.ErrOrStderr(), "%s\nis that right? [y/N] ", what)
	line, err := typed(c.Context(), func() (string, error) {
		return bufio.NewReader(io.LimitReader(c.InOrStdin(), 16)).ReadString('\n')
	})
	if err != nil {
		fmt.Fprintln(c.ErrOrStderr()) // nobody pressed Enter
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return withHint(err, "--yes")
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return nil
	}
	return withHint(errors.New("not confirmed; nothing was sent"), "again with y, or --yes")
}
