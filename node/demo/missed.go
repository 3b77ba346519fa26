package demo

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/framemesh/framemesh/actors/cheat"
	"github.com/framemesh/framemesh/actors/purse"
	"github.com/framemesh/framemesh/stream/player"
)

// silent is for how long a player hears nothing before it says that its machine went.
const silent = 2 * time.Second

// vanishes says whether the machine that the game runs on goes in the middle of it.
func (t *Trial) vanishes() bool { return t != nil && t.Cheat.Name == cheat.Vanish }

// miss waits until pictures stop, and tells the gateway as a page does, once.
func miss(ctx context.Context, gateway string, p *player.Player, money *purse.Purse) error {
	tick := time.NewTicker(silent / 8)
	defer tick.Stop()
	var frames uint64
	last := time.Now()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		now := time.Now()
		if r := p.Report(); r.Decodable != frames {
			frames, last = r.Decodable, now
		}
		if now.Sub(last) < silent {
			continue
		}
		session, body, ok := money.Gone(now)
		if !ok {
			continue
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, gateway+"api/sessions/"+session+"/gone", bytes.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return fmt.Errorf("demo: the machine went, and the gateway was not told: %w", err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusAccepted {
			return fmt.Errorf("demo: the machine went, and the gateway says %s", resp.Status)
		}
		return nil
	}
}
