package main

import (
	"context"
	"errors"
	"io"
	"testing"
)

// Who is asked and presses Ctrl-C is not asked any more.
func TestAQuestionEndsWithCtrlC(t *testing.T) {
	r, w := io.Pipe() // where nobody types
	defer w.Close()
	ctx, interrupt := context.WithCancel(t.Context())
	asked := make(chan struct{})
	go func() {
		<-asked
		interrupt()
	}()
	_, err := typed(ctx, func() (string, error) {
		close(asked)
		b, err := io.ReadAll(r)
		return string(b), err
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
	if text, err := typed(t.Context(), func() (string, error) { return "yes", io.EOF }); text != "yes" || err != io.EOF {
		t.Errorf("an answer came as %q, %v", text, err)
	}
}
