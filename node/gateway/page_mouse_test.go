package gateway

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

func TestPageReadsTheMouse(t *testing.T) {
	r := newRoom(t)
	r.play()
	mouse := func(kind input.MouseType, x, y float64, button input.MouseButton) {
		r.tab.Run(input.DispatchMouseEvent(kind, x, y).WithButton(button).WithClickCount(1))
	}
	u32 := func(at int) int32 { return int32(binary.LittleEndian.Uint32(r.c.last()[at:])) }
	// 1280×800 around a 16:9 picture: the middle of the window is the middle of it.
	mouse(input.MouseMoved, 640, 400, input.None)
	mouse(input.MousePressed, 640, 400, input.Left)
	waitFor(t, "the left button", func() bool { return r.c.last()[68] == 1 })
	mouse(input.MousePressed, 640, 400, input.Right)
	waitFor(t, "both buttons", func() bool { return r.c.last()[68] == 3 })
	if x, y := binary.LittleEndian.Uint16(r.c.last()[52:]), binary.LittleEndian.Uint16(r.c.last()[54:]); x < 32700 || x > 32830 || y < 32700 || y > 32830 {
		t.Errorf("the middle is at %d, %d", x, y)
	}
	mouse(input.MouseReleased, 640, 400, input.Right)
	mouse(input.MouseReleased, 640, 400, input.Left)
	waitFor(t, "no button", func() bool { return r.c.last()[68] == 0 })
	r.tab.Run(chromedp.ActionFunc(input.DispatchMouseEvent(input.MouseWheel, 640, 400).WithDeltaX(0).WithDeltaY(120).Do))
	waitFor(t, "the wheel", func() bool { return u32(64) == 120 })

	// A control that has the focus keeps its keys; the picture takes them back.
	r.tab.Eval(`document.querySelector('[data-tool=chat]').focus()`, nil)
	r.tab.Key("KeyZ", true)
	r.tab.Key("KeyZ", false)
	r.tab.Eval(`document.getElementById('stage').focus()`, nil)
	r.tab.Key("KeyA", true)
	waitFor(t, "KeyA", func() bool { return r.c.last()[20]&(1<<4) != 0 })
	for _, s := range r.c.states() {
		if s[20+0x1D/8]&(1<<(0x1D%8)) != 0 {
			t.Fatal("a key for a button of the page reached the game")
		}
	}
	// Combinations are the browser's: Ctrl+C is no C.
	r.tab.Run(chromedp.ActionFunc(input.DispatchKeyEvent(input.KeyRawDown).WithCode("KeyC").WithKey("c").WithModifiers(input.ModifierCtrl).Do))
	r.tab.Key("KeyB", true)
	waitFor(t, "KeyB", func() bool { return r.c.last()[20]&(1<<5) != 0 })
	if r.c.last()[20]&(1<<6) != 0 {
		t.Error("Ctrl+C reached the game")
	}
	r.tab.NoExceptions()
}

func TestPageLocksTheMouseForGamesThatWantIt(t *testing.T) {
	r := newRoom(t)
	r.apps[0].PointerLock = true
	r.play()
	press := func(kind input.MouseType, x, y float64, b input.MouseButton) {
		r.tab.Run(input.DispatchMouseEvent(kind, x, y).WithButton(b).WithClickCount(1))
	}
	press(input.MousePressed, 640, 400, input.Left)
	press(input.MouseReleased, 640, 400, input.Left)
	r.tab.Wait(`document.pointerLockElement?.tagName === 'VIDEO'`, 5*time.Second)
	at := func(o int) int32 { return int32(binary.LittleEndian.Uint32(r.c.last()[o:])) }
	x, y := at(56), at(60)
	press(input.MouseMoved, 700, 380, input.None)
	press(input.MouseMoved, 720, 370, input.None)
	waitFor(t, "relative motion", func() bool { return at(56) > x && at(60) < y })
	press(input.MousePressed, 720, 370, input.Left)
	waitFor(t, "the button while locked", func() bool { return r.c.last()[68] == 1 })
	r.tab.Eval(`document.exitPointerLock()`, nil)
	waitFor(t, "release with the lock", func() bool { return r.c.last()[68] == 0 })
	r.tab.NoExceptions()
}

func TestPageFullscreenKeepsItsWords(t *testing.T) {
	r := newRoom(t)
	r.play()
	r.tab.Click(`[aria-label=Fullscreen]`)
	r.tab.Wait(`document.fullscreenElement?.id === 'stage' && document.fullscreenElement.querySelector('#toasts')`, 5*time.Second)
	r.tab.Key("KeyZ", true) // the click gave the keys back to the game
	waitFor(t, "KeyZ", r.c.held)
	r.tab.Eval(`document.querySelector('[data-tool=stop]').click()`, nil)
	r.tab.Wait(`!document.fullscreenElement && document.getElementById('stage').hidden && document.body.lastElementChild.id === 'toasts'`, 5*time.Second)
	r.tab.NoExceptions()
}
