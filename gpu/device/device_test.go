package device

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"pgregory.net/rapid"

	"github.com/framemesh/framemesh/gpu/encode"
)

// The test binary is its own benchmark process, in several moods.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "bench":
			if err := Serve(os.Stdout); err != nil {
				os.Exit(1)
			}
			os.Exit(0)
		case "points":
			if err := ServePoints(os.Stdout); err != nil {
				os.Exit(1)
			}
			os.Exit(0)
		case "fixed":
			os.Stdout.WriteString(`{"cost":{"draw":500000,"convert":60000,"encode":1940000},"encoder":"fixed"}`)
			os.Exit(0)
		case "crash":
			os.Exit(7)
		case "junk":
			os.Stdout.WriteString("not JSON")
			os.Exit(0)
		case "no-encoder":
			os.Stdout.WriteString(`{"error":"install gcc"}`)
			os.Exit(0)
		case "flood":
			b := bytes.Repeat([]byte{'x'}, 64<<10)
			for {
				if _, err := os.Stdout.Write(b); err != nil {
					os.Exit(1)
				}
			}
		}
	}
	os.Exit(m.Run())
}

func file(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }

func TestInventory(t *testing.T) {
	root := fstest.MapFS{
		"proc/cpuinfo":                                     file("processor\t: 0\nmodel name\t: Fast One 3000\nprocessor\t: 1\nmodel name\t: Fast One 3000\n"),
		"proc/meminfo":                                     file("MemTotal:       16777216 kB\nMemFree: 1 kB\n"),
		"sys/class/drm/card0/device/vendor":                file("0x1002\n"),
		"sys/class/drm/card0/device/device":                file("0x73bf\n"),
		"sys/class/drm/card0/device/uevent":                file("DRIVER=amdgpu\nPCI_SLOT_NAME=0000:03:00.0\n"),
		"sys/class/drm/card0/device/mem_info_vram_total":   file("17163091968\n"),
		"sys/class/drm/card0-HDMI-A-1/status":              file("connected"),
		"sys/class/drm/card1/device/vendor":                file("0x10de"),
		"sys/class/drm/card1/device/uevent":                file("DRIVER=nvidia\nPCI_SLOT_NAME=0000:0A:00.0"),
		"proc/driver/nvidia/gpus/0000:0a:00.0/information": file("Model: \t\t NVIDIA Thing\nIRQ: 5"),
		"proc/driver/nvidia/gpus/0000:0b:00.0/information": file("Model: \t\t NVIDIA Headless"),
		"sys/module/nvidia/version":                        file("550.1"),
	}
	want := []Device{
		{ID: "cpu0", Kind: CPU, Name: "Fast One 3000", Cores: 2, Memory: 16 << 30},
		{ID: "gpu0", Kind: GPU, Name: "amd 0x73bf", Vendor: "amd", Driver: "amdgpu", Memory: 17163091968},
		{ID: "gpu1", Kind: GPU, Name: "NVIDIA Thing", Vendor: "nvidia", Driver: "nvidia"},
		{ID: "gpu2", Kind: GPU, Name: "NVIDIA Headless", Vendor: "nvidia", Driver: "nvidia 550.1"},
	}
	got := Inventory(root, 2)
	if len(got) != len(want) {
		t.Fatalf("%+v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%+v, want %+v", got[i], want[i])
		}
	}
	bare := Inventory(fstest.MapFS{}, 1)
	if len(bare) != 1 || bare[0].Kind != CPU || bare[0].Name == "" {
		t.Errorf("a machine that tells nothing: %+v", bare)
	}
}

func TestRate(t *testing.T) {
	c := Cost{Draw: 500 * time.Microsecond, Convert: 60 * time.Microsecond, Encode: 1940 * time.Microsecond}
	// 60 · 4 ms = 0.24 core; 2 cores · 70 % = 1.4.
	if r := Rate(c, "x", 2, 0); r.Slots != 5 || r.ScoreMilli != 8333 || r.ScoreVersion != SlotScoreV0 {
		t.Errorf("%+v", r)
	}
	if r := Rate(c, "x", 64, 1<<30); r.Slots != 2 {
		t.Errorf("1 GiB of memory gives %d slots", r.Slots)
	}
	if r := Rate(Cost{Encode: time.Second}, "x", 1, 1); r.Slots != 1 {
		t.Errorf("a slow machine gives %d slots, want one", r.Slots)
	}
}

func TestRateIsMonotonous(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cost := func(name string) Cost {
			d := func(part string) time.Duration {
				return time.Duration(rapid.Int64Range(0, int64(10*time.Second)).Draw(t, name+part))
			}
			return Cost{d("draw"), d("convert"), d("encode")}
		}
		a, more := cost("a"), cost("more")
		cores := rapid.IntRange(1, 512).Draw(t, "cores")
		memory := rapid.Uint64Range(0, 1<<42).Draw(t, "memory")
		b := Cost{a.Draw + more.Draw, a.Convert + more.Convert, a.Encode + more.Encode}
		cheap, dear := Rate(a, "x", cores, memory), Rate(b, "x", cores, memory)
		if cheap.Slots < dear.Slots || cheap.ScoreMilli < dear.ScoreMilli || dear.Slots < 1 || cheap.Slots > maxSlots {
			t.Fatalf("%+v against %+v", cheap, dear)
		}
	})
}

func options(t *testing.T, mood string) Options {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Options{CacheDir: filepath.Join(t.TempDir(), "new"), Command: []string{self, mood}, Cores: 2}
}

func TestMeasureRunsTheBenchmark(t *testing.T) {
	if len(encode.Encoders()) == 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("this build has no encoder")
		}
		t.Skip("this build has no encoder (built without cgo)")
	}
	c, err := Measure(context.Background(), options(t, "bench"))
	if err != nil {
		t.Fatal(err)
	}
	if c.Slots < 1 || c.ScoreMilli < 1 || c.Encoder == "" || c.Cost.Encode <= 0 || c.Cost.Convert <= 0 || c.Cost.Draw <= 0 {
		t.Errorf("%+v", c)
	}
}

func TestMeasureOncePerMachine(t *testing.T) {
	o := options(t, "fixed")
	first, err := Measure(context.Background(), o)
	if err != nil || first.Encoder != "fixed" {
		t.Fatal(first, err)
	}
	o.Command[1] = "crash" // must not be run
	again, err := Measure(context.Background(), o)
	if err != nil || again != first {
		t.Errorf("%+v, %v", again, err)
	}
	if fi, err := os.Stat(filepath.Join(o.CacheDir, "bench.json")); err != nil || fi.Mode().Perm() != 0o600 {
		t.Error(fi, err)
	}
	o.Cores = 3 // another machine
	if _, err := Measure(context.Background(), o); !errors.Is(err, ErrBenchmark) {
		t.Error("took another machine's result:", err)
	}
	o.Cores, o.Command[1] = 2, "fixed"
	for name, text := range map[string]string{
		"junk": "{{{", "nothing": "", "impossible": `{"fingerprint":"x","report":{"cost":{"encode":-5},"encoder":"x"}}`,
	} {
		if err := os.WriteFile(filepath.Join(o.CacheDir, "bench.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if c, err := Measure(context.Background(), o); err != nil || c != first {
			t.Errorf("%s in the cache: %+v, %v", name, c, err)
		}
	}
}

func TestMeasureSaysWhatIsWrong(t *testing.T) {
	for mood, words := range map[string]string{"crash": "exit status 7", "junk": "invalid", "no-encoder": "install gcc", "flood": "wrote more"} {
		_, err := Measure(context.Background(), options(t, mood))
		if !errors.Is(err, ErrBenchmark) || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v", mood, err)
		}
	}
}

// FuzzReport reads what a benchmark process or a cache file might hold.
func FuzzReport(f *testing.F) {
	f.Add([]byte(`{"cost":{"draw":500000,"convert":60000,"encode":1940000},"encoder":"fixed"}`))
	f.Add([]byte(`{"cost":{"encode":9223372036854775807},"encoder":"x"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var r Report
		if json.Unmarshal(b, &r) != nil || check(r) != nil {
			return
		}
		if c := Rate(r.Cost, r.Encoder, 8, 16<<30); c.Slots < 1 || c.ScoreMilli < 0 {
			t.Fatalf("%+v", c)
		}
	})
}
