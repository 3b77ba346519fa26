package worker

import (
	"os"
	"os/exec"
	"runtime"
	"sync"
)

// spawner starts children from one thread that lives as long as the process. The
// parent-death signal of Linux is bound to the thread that forked, so a child of a
// passing thread would die with it in the middle of a game.
var spawner = sync.OnceValue(func() chan<- spawnRequest {
	ch := make(chan spawnRequest)
	go func() {
		runtime.LockOSThread()
		for r := range ch {
			r.err <- r.cmd.Start()
		}
	}()
	return ch
})

type spawnRequest struct {
	cmd *exec.Cmd
	err chan error
}

func spawn(cmd *exec.Cmd) error {
	r := spawnRequest{cmd, make(chan error, 1)}
	spawner() <- r
	return <-r.err
}

// selfPath names the running binary. /proc/self/exe stays right when the file was
// replaced by an upgrade.
func selfPath() string {
	if runtime.GOOS == "linux" {
		return "/proc/self/exe"
	}
	path, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	return path
}
