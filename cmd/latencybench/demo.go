package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// demo is a running `framemesh demo`.
type demo struct {
	cmd *exec.Cmd
	url string
	tmp string
}

func startDemo(ctx context.Context, binary string) (*demo, error) {
	d := &demo{}
	if binary == "" {
		tmp, err := os.MkdirTemp("", "latencybench")
		if err != nil {
			return nil, err
		}
		d.tmp, binary = tmp, filepath.Join(tmp, "framemesh")
		build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", binary, "./cmd/framemesh")
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			return nil, fmt.Errorf("building framemesh: %w; run this from the repository's root", err)
		}
	}
	d.cmd = exec.CommandContext(ctx, binary, "demo", "--json", "--listen", "127.0.0.1:0")
	d.cmd.Cancel = func() error { return d.cmd.Process.Signal(syscall.SIGTERM) }
	d.cmd.WaitDelay = 10 * time.Second
	d.cmd.Stderr = os.Stderr
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		d.stop()
		return nil, fmt.Errorf("the demo did not start: %w", err)
	}
	var ready struct {
		URL string `json:"url"`
	}
	if err := json.Unmarshal(line, &ready); err != nil || ready.URL == "" {
		d.stop()
		return nil, fmt.Errorf("the demo's first line is not its URL: %q", line)
	}
	d.url = strings.TrimSuffix(ready.URL, "/")
	go func() { // keep the pipe empty
		buf := make([]byte, 4096)
		for {
			if _, err := out.Read(buf); err != nil {
				return
			}
		}
	}()
	return d, nil
}

func (d *demo) stop() {
	if d.cmd.Process != nil {
		_ = d.cmd.Process.Signal(syscall.SIGTERM)
		_ = d.cmd.Wait()
	}
	if d.tmp != "" {
		os.RemoveAll(d.tmp)
	}
}

// cpuSeconds returns the user and system time of the node process and the sum over
// its worker processes, in seconds.
func (d *demo) cpuSeconds() (node, workers float64) {
	node = statSeconds(d.cmd.Process.Pid)
	procs, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, p := range procs {
		b, err := os.ReadFile(p)
		if err != nil {
			continue
		}
		f := fieldsAfterName(string(b))
		if len(f) > 1 && f[1] == strconv.Itoa(d.cmd.Process.Pid) {
			pid, _ := strconv.Atoi(strings.Split(p, "/")[2])
			workers += statSeconds(pid)
		}
	}
	return node, workers
}

// fieldsAfterName splits /proc/PID/stat behind the process name, which may hold spaces.
func fieldsAfterName(s string) []string {
	_, rest, ok := strings.Cut(s, ") ")
	if !ok {
		return nil
	}
	return strings.Fields(rest)
}

// ticksPerSecond is USER_HZ, 100 on every Linux that Go runs on.
const ticksPerSecond = 100

func statSeconds(pid int) float64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	f := fieldsAfterName(string(b))
	if len(f) < 13 {
		return 0
	}
	u, _ := strconv.ParseFloat(f[11], 64)
	s, _ := strconv.ParseFloat(f[12], 64)
	return (u + s) / ticksPerSecond
}

func loadAverage() float64 {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return -1
	}
	v, _ := strconv.ParseFloat(strings.Fields(string(b))[0], 64)
	return v
}

func cpuModel() string {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	for l := range strings.Lines(string(b)) {
		if k, v, ok := strings.Cut(l, ":"); ok && strings.TrimSpace(k) == "model name" {
			return strings.TrimSpace(v)
		}
	}
	return ""
}
