package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// smallDisk makes this test run on a small disk of its own, mounted at the path.
const smallDisk = "FRAMEMESH_TEST_DISK"

// A validator whose disk fills up stops, says so and loses nothing: with room again it goes
// on from the block it had.
func TestAFullDiskStopsAValidatorInWords(t *testing.T) {
	if dir := os.Getenv(smallDisk); dir != "" {
		fillsUp(t, dir)
		return
	}
	c := exec.Command(os.Args[0], "-test.run=^TestAFullDiskStopsAValidatorInWords$", "-test.v")
	c.Env = append(os.Environ(), smallDisk+"="+t.TempDir())
	c.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	out, err := c.CombinedOutput()
	if err != nil && (len(out) == 0 || bytes.Contains(out, []byte("no small disk"))) {
		// what the chain makes of a full disk is tested beside it, with a made-up answer
		t.Skipf("this machine allows no mount: %v %s", err, out)
	}
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
}

func fillsUp(t *testing.T, dir string) {
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", 384<<20)); err != nil {
		t.Fatalf("no small disk: %v", err)
	}
	c := newCompany(t, 1)
	v := c.all[0]
	data := filepath.Join(dir, "data")
	if err := os.CopyFS(data, os.DirFS(v.dir)); err != nil { // with the keys
		t.Fatal(err)
	}
	for _, f := range []string{"node.key", "ledger/consensus-key.json", "ledger/sign-state.json", "ledger/vrf.key"} {
		if err := os.Chmod(filepath.Join(data, f), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	v.edit(fmt.Sprintf("data_dir = %q", v.dir), fmt.Sprintf("data_dir = %q", data))
	run := command(c.ctx, t, "run", "--config", v.config(), "--json")
	var said bytes.Buffer
	run.Stderr = &said
	out, err := run.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatalf("%v: %s", err, said.String())
	}
	v.running = &running{cmd: run}
	if err := json.Unmarshal(line, v.running); err != nil {
		t.Fatal(err)
	}
	c.reaches(v, 4)
	kept := c.asks(v, "ledger", "block", "3")["hash"]
	filler, err := os.Create(filepath.Join(dir, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	// what the store keeps free is taken by another program, but not to the last byte
	chunk := make([]byte, 1<<20)
	for left := uint64(1 << 30); err == nil && left > 32<<20; {
		if _, err = filler.Write(chunk); err != nil {
			break
		}
		var st syscall.Statfs_t
		err = syscall.Statfs(dir, &st)
		left = st.Bavail * uint64(st.Bsize)
	}
	if err = errors.Join(err, filler.Close()); err != nil {
		t.Fatal(err)
	}
	err = run.Wait()
	text := said.String()
	t.Logf("it ended with %v and said:\n%s", err, text)
	if err == nil || !strings.Contains(text, "framemesh: node: ") || !strings.Contains(text, "disk") || !strings.Contains(text, "full") || !strings.Contains(text, "make room") {
		t.Error("it does not say what to do")
	}
	if strings.Contains(text, "goroutine ") {
		t.Error("a panic reached the user")
	}
	if err := os.Remove(filler.Name()); err != nil {
		t.Fatal(err)
	}
	v.start(c.ctx)
	c.reaches(v, 10)
	if now := c.asks(v, "ledger", "block", "3")["hash"]; now != kept {
		t.Errorf("block 3 was %v and is %v", kept, now)
	}
	if s := c.asks(v, "ledger", "supply"); s["supply_ok"] != true {
		t.Errorf("%v", s)
	}
}
