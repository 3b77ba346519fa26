package demo

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/framemesh/framemesh/actors/cheat"
	"github.com/framemesh/framemesh/actors/gateway"
	"github.com/framemesh/framemesh/node/testnet"
)

// Cast is who plays which part when a network has a cheat.
type Cast struct {
	Cheat  cheat.Cheat
	Peers  []string // that cheat
	About  []string // containers that checkers lie about; none = all
	Honest []string // containers that do not cheat
	// Containers is how many the network needs for it.
	Containers int
}

// NewCast gives a cheat its parts in a network of so many indexers, containers and checkers.
// Those that cheat are the last ones: the first indexer is where peers meet, and the first
// checker makes the ledger's blocks.
func NewCast(c cheat.Cheat, indexers, containers, checkers int) (Cast, error) {
	out := Cast{Cheat: c, Containers: containers}
	last := func(role string, total, n int) {
		for i := total - n + 1; i <= total; i++ {
			out.Peers = append(out.Peers, fmt.Sprintf("%s-%d", role, i))
		}
	}
	switch {
	case c.Who == cheat.Indexer && indexers < 2:
		return out, fmt.Errorf("demo: %s needs an indexer that does not; use --indexers 2", c)
	case c.Who == cheat.Indexer:
		last("indexer", indexers, 1)
	case c.Who == cheat.Checker && checkers < 5:
		return out, fmt.Errorf("demo: %s needs a committee of five; use --checkers 5", c)
	case c.Name == "collude":
		last("checker", checkers, c.Value)
		out.About = []string{fmt.Sprintf("container-%d", containers)}
	case c.Who == cheat.Checker:
		last("checker", checkers, 1)
	case c.Name == "sybil":
		out.Containers = max(containers-1, 1) + c.Value
		last("container", out.Containers, c.Value)
	default:
		last("container", containers, 1)
	}
	if out.Containers > testnet.MaxPeersPerRole {
		return out, fmt.Errorf("demo: %s needs %d containers; use a smaller number", c, out.Containers)
	}
	for i := 1; i <= out.Containers; i++ {
		name := fmt.Sprintf("container-%d", i)
		if _, lies := out.Cheats()[name]; !lies {
			out.Honest = append(out.Honest, name)
		}
	}
	return out, nil
}

// accomplice is what the container does that colluding checkers lie for.
const accomplice = "overclaim=4"

// Cheats are the peers that cheat, as the network wants them.
func (c Cast) Cheats() map[string]cheat.Cheat {
	out := map[string]cheat.Cheat{}
	for _, p := range c.Peers {
		out[p] = c.Cheat
	}
	if c.forOne() {
		if a, err := cheat.Parse(accomplice); err == nil {
			out[c.About[0]] = a
		}
	}
	return out
}

// forOne says whether checkers lie for a container that cheats: as many as may be lying
// anyway. More lie against one that does not.
func (c Cast) forOne() bool { return c.Cheat.Name == "collude" && c.Cheat.Value <= 2 }

// Announce says who does what.
func (c Cast) Announce() string {
	text := strings.Join(c.Peers, ", ") + " cheats: " + c.Cheat.Does()
	if len(c.About) > 0 {
		text += "; about " + strings.Join(c.About, ", ")
	}
	return text
}

// Avoid says whether a game is played on others than a container: a container in a session
// is excused from rounds, and a session cheat is seen in its sessions only.
func (c Cast) Avoid(name string) bool {
	_, lies := c.Cheats()[name]
	return lies != (c.Cheat.Who == cheat.Session)
}

// Caught is what became of a cheat.
type Caught struct {
	Cheat    string   `json:"cheat"`
	Does     string   `json:"does"`
	Cheaters []string `json:"cheaters"` // peers, by name
	// Cheater is the one that the rest is about.
	Cheater  string `json:"cheater"`
	Caught   bool   `json:"caught"`
	Epoch    uint64 `json:"epoch"` // in which it did what it was caught at
	Height   uint64 `json:"height,omitempty"`
	By       string `json:"by,omitempty"` // who, or what
	How      string `json:"how"`          // a sentence
	Code     string `json:"code,omitempty"`
	Reason   uint32 `json:"reason,omitempty"`
	Evidence string `json:"evidence,omitempty"` // hash of a proof; "" where there is none
	Session  string `json:"session,omitempty"`  // that it went from
	File     string `json:"file,omitempty"`     // where its file lies
	// Lost is what the cheater was slashed, in base units.
	Lost   uint64 `json:"lost,string"`
	Harmed bool   `json:"honest_harmed"` // somebody honest was convicted, slashed, accused or called wrong
	// Unpaid are rounds that honest containers lost, which a colluding majority can bring about.
	Unpaid int `json:"honest_unpaid"`
}

// Trial looks at what the ledger says of a cast.
type Trial struct {
	Cast
	n    *testnet.Net
	told int // happenings that were told
}

// askEvery is how often a match is asked for so that an indexer that cheats gets to.
const askEvery = time.Second

// Ask lets an indexer that cheats have something to lie about: a player without money asks for
// the app again and again, until the lie is proven, stop is called or ctx ends. No container
// leases to it, but its gateway looks at each match. For other cheats it does nothing.
func (t *Trial) Ask(ctx context.Context, app string) (stop func()) {
	if t == nil || t.Cheat.Who != cheat.Indexer {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(askEvery)
		defer tick.Stop()
		for {
			_, _ = t.n.Find("gateway-1").Gateway().Launch(ctx, gateway.LaunchRequest{App: app}) // it is meant to be refused
			if c, err := t.Look(ctx); err == nil && c.Caught {
				return
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

// NewTrial follows a network in which the cast plays.
func NewTrial(n *testnet.Net, c Cast) *Trial { return &Trial{Cast: c, n: n} }

// Look returns what became of the cheat so far.
func (t *Trial) Look(context.Context) (Caught, error) {
	out := Caught{Cheat: t.Cheat.String(), Does: t.Cheat.Does(), Cheaters: t.Peers, Cheater: t.Peers[0], How: "not caught so far"}
	happened, containers, err := t.n.Happened()
	if err != nil {
		return out, err
	}
	cheats := t.Cheats()
	for _, h := range happened {
		_, liar := cheats[h.Name]
		t.judge(&out, h, liar)
	}
	switch t.Cheat.Name {
	case "copy", "downtime":
		t.unpaid(&out, happened)
	case "sybil":
		t.shared(&out, containers)
	}
	if out.Evidence != "" {
		t.file(&out)
	}
	return out, nil
}

// judge takes one thing that happened.
func (t *Trial) judge(out *Caught, h testnet.Happening, liar bool) {
	switch h.Kind {
	case "fraud_proven":
		if !liar {
			out.Harmed = true
			return
		}
		t.caught(out, h, h.Reporter+" with a fraud proof", true)
	case "slash", "accused", "checker_wrong", "checker_banned":
		if !liar {
			out.Harmed = true
		} else if h.Kind == "slash" {
			out.Lost += h.Amount
		} else if h.Kind == "accused" {
			by := "a committee, by an audit"
			if t.vanishes() {
				by = "its player, and a committee that looked for it"
			}
			t.caught(out, h, by, true)
		}
	case "unproven":
		switch {
		case !liar:
			out.Unpaid++
		case t.Cheat.Name == "late" && h.Code == "late", t.Cheat.Who == cheat.Session && h.Evidence != "":
			t.caught(out, h, "the committee", false)
		}
	}
}

// caught keeps the first time; what is proven counts more than what was voted.
func (t *Trial) caught(out *Caught, h testnet.Happening, by string, proven bool) {
	if out.Caught && (out.Evidence != "" || !proven) {
		return
	}
	out.Caught, out.Cheater, out.Epoch, out.Height, out.By, out.How = true, h.Name, h.Epoch, h.Height, by, h.Text
	out.Code, out.Reason, out.Evidence, out.Session = h.Code, h.Reason, h.Evidence, h.Session
}

// unpaid is how votes without proof are caught: they do not agree with what was found.
func (t *Trial) unpaid(out *Caught, happened []testnet.Happening) {
	id := t.n.Find(t.Peers[0]).ID().String()
	for _, h := range happened {
		if h.Kind != "certificate_judged" || out.Caught {
			continue
		}
		if certified, right := t.n.Right(h.Epoch, id); certified && !right {
			out.Caught, out.Epoch, out.Height, out.By = true, h.Epoch, h.Height, "the rest of the committee"
			out.How = "Its vote counted nothing: the certificate names it among neither the right nor the wrong, and it is not paid for the epoch."
		}
	}
}

// sybilSlack is how much more than one honest device several names may show, in percent: no
// two rounds are alike on a machine that does other things, too.
const sybilSlack = 150

// shared compares what several names on one device were measured at with one honest
// container.
func (t *Trial) shared(out *Caught, all []testnet.Container) {
	var sum, honest, epoch uint64
	names := 0
	for _, c := range all {
		switch {
		case slices.Contains(t.Peers, c.Name) && c.Last > 0:
			sum, names, epoch = sum+c.Last, names+1, max(epoch, c.Epoch)
		case c.Last > 0:
			honest = max(honest, c.Last)
		}
	}
	if names < len(t.Peers) || honest == 0 {
		return
	}
	out.Caught, out.Epoch, out.By = sum*100 <= honest*sybilSlack, epoch, "all rounds having the same window"
	out.How = fmt.Sprintf("%d names on one device were measured at %d.%03d RP together; an honest container shows %d.%03d.", names, sum/1000, sum%1000, honest/1000, honest%1000)
}

// file finds the evidence on a checker's disk.
func (t *Trial) file(out *Caught) {
	if f, path, ok, err := t.n.Evidence(out.Evidence); err == nil && ok {
		out.File, out.Evidence = path, f.ID
	}
}

// News are the sentences that were not told yet.
func (t *Trial) News() ([]string, error) {
	happened, _, err := t.n.Happened()
	if err != nil || t.told > len(happened) {
		return nil, err
	}
	var out []string
	for _, h := range happened[t.told:] {
		if h.Kind == "reward" {
			continue // the sums are told with the epoch
		}
		who := h.Name
		if _, liar := t.Cheats()[h.Name]; liar {
			who += " (cheats)"
		}
		if who != "" {
			who += ": "
		}
		out = append(out, fmt.Sprintf("epoch %d, block %d: %s%s", h.Epoch, h.Height, who, h.Text))
	}
	t.told = len(happened)
	return out, nil
}

// query keeps a game where it belongs; nil changes nothing.
func (t *Trial) query() string {
	if t == nil {
		return ""
	}
	q := url.Values{}
	for _, p := range t.n.Peers() {
		if p.Container() != nil && t.Avoid(p.Name) && len(q["exclude"]) < maxExcluded {
			q.Add("exclude", p.ID().String())
		}
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

// maxExcluded is how many containers one launch can exclude.
const maxExcluded = 16

// judge says what should not be.
func (c *Caught) judge() (wrong []string) {
	if c.Harmed {
		wrong = append(wrong, "somebody honest was convicted, slashed, accused or called wrong")
	}
	majority := strings.HasPrefix(c.Cheat, "collude=3")
	switch {
	case !c.Caught && !majority:
		wrong = append(wrong, "the cheat was not caught while the demo ran; a round takes an epoch and an audit a few seconds of play, so give it more time with --for")
	case majority && c.Unpaid > 0:
		c.How = fmt.Sprintf("A majority of a committee kept an honest container from %d rounds' rewards. It lost no stake: nothing that they say recomputes.", c.Unpaid)
	case c.Unpaid > 0:
		wrong = append(wrong, fmt.Sprintf("honest containers lost the reward of %s; on a machine that is busy with other things, give rounds more time with --epoch", rounds(c.Unpaid)))
	}
	return wrong
}

// rounds counts rounds in words.
func rounds(n int) string {
	if n == 1 {
		return "1 round"
	}
	return fmt.Sprintf("%d rounds", n)
}
