package container

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/ledger/tx"
)

func someVoucher(seq uint64) *tx.Voucher {
	return &tx.Voucher{Seq: seq, Seconds: uint32(seq), Paid: 100 * seq, Signature: bytes.Repeat([]byte{byte(seq)}, 64)}
}

func duesIn(t testing.TB, dir string) (*dues, *bytes.Buffer) {
	t.Helper()
	var words bytes.Buffer
	d, err := openDues(dir, slog.New(slog.NewTextHandler(&words, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return d, &words
}

func TestDuesOutliveTheirRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "dues")
	d, _ := duesIn(t, dir)
	a, b := [16]byte{1}, [16]byte{2}
	d.keep(a, nil)
	d.keep(a, someVoucher(3))
	d.keep(b, nil)
	if over := d.over(10); len(over) != 0 {
		t.Errorf("running sessions are due: %v", over)
	}
	d.end(a)
	if over := d.over(10); len(over) != 1 || over[0].GetVoucher().GetSeq() != 3 {
		t.Errorf("due: %v", over)
	}
	<-d.written()
	again, words := duesIn(t, dir)
	over := again.over(10)
	if len(over) != 2 || [16]byte(over[0].GetSession()) != a || !proto.Equal(over[0].GetVoucher(), someVoucher(3)) || over[1].GetVoucher() != nil || words.Len() > 0 {
		t.Errorf("after a restart: %v %s", over, words)
	}
	if one := again.over(1); len(one) != 1 {
		t.Errorf("one of them: %v", one)
	}
	again.settle(over)
	<-again.written()
	if last, _ := duesIn(t, dir); len(last.over(10)) != 0 {
		t.Error("what is settled is due again")
	}
}

func TestDuesThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	d, _ := duesIn(t, dir)
	d.keep([16]byte{1}, someVoucher(1))
	<-d.written()
	good := d.path([16]byte{1})
	b, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	b[50] ^= 1
	for name, content := range map[string][]byte{"bent.due": b, "cut.due": b[:100], ".unfinished-1": b[:10], "other.txt": b} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	again, words := duesIn(t, dir)
	if over := again.over(10); len(over) != 1 || strings.Count(words.String(), "cannot be read") != 2 {
		t.Errorf("%v; %s", over, words)
	}
	if _, err := os.Stat(filepath.Join(dir, ".unfinished-1")); err == nil {
		t.Error("what a crash left half written stays")
	}
	if _, err := os.Stat(filepath.Join(dir, "bent.due")); err != nil {
		t.Error("a file that cannot be read was removed:", err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openDues(file, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "name one") {
		t.Errorf("a file as the directory: %v", err)
	}
}

// TestDuesWriter is not a test: it is what TestKilledDues kills. It says each number
// whose voucher is on the disk.
func TestDuesWriter(t *testing.T) {
	dir := os.Getenv("FRAMEMESH_TEST_DUES")
	if dir == "" {
		t.Skip("only as a process of its own, for TestKilledDues")
	}
	d, _ := duesIn(t, dir)
	for n := uint64(1); ; n++ {
		d.keep([16]byte{7}, someVoucher(n))
		<-d.written()
		fmt.Println("kept", n)
	}
}

// Killed at any instant, a machine has the voucher that was kept last, or the one whose
// writing was cut off.
func TestKilledDues(t *testing.T) {
	for round := range 5 {
		dir := t.TempDir()
		cmd := exec.Command(os.Args[0], "-test.run", "^TestDuesWriter$")
		cmd.Env = append(os.Environ(), "FRAMEMESH_TEST_DUES="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var after [1]byte
		_, _ = rand.Read(after[:])
		lines, last := bufio.NewScanner(out), ""
		for n := 0; n < 3+int(after[0])/8 && lines.Scan(); n++ {
			last = lines.Text()
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() { // what it said before it died
			last = lines.Text()
		}
		_ = cmd.Wait() // killed
		var kept uint64
		if _, err := fmt.Sscanf(last, "kept %d", &kept); err != nil {
			t.Fatalf("the writer said %q: %v", last, err)
		}
		d, words := duesIn(t, dir)
		over := d.over(2)
		if len(over) != 1 || words.Len() > 0 {
			t.Fatalf("round %d: %v; %s", round, over, words)
		}
		if got := over[0].GetVoucher(); got.GetSeq() != kept && got.GetSeq() != kept+1 || len(got.GetSignature()) != 64 {
			t.Errorf("round %d: kept %d, found %v", round, kept, got)
		}
	}
}

func FuzzDue(f *testing.F) {
	f.Add(encodeDue(due{session: [16]byte{1}}))
	f.Add(encodeDue(due{session: [16]byte{2}, voucher: someVoucher(9)}))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := decodeDue(b)
		if err != nil {
			return
		}
		if again := encodeDue(d); !bytes.Equal(again, b) {
			t.Fatalf("%x became %x", b, again)
		}
	})
}
