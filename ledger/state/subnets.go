package state

import (
	"slices"
	"strings"

	"github.com/framemesh/framemesh/ledger/economics"
	"github.com/framemesh/framemesh/ledger/key"
	"github.com/framemesh/framemesh/ledger/subnet"
)

// relocate gives a node other subnets. They may change once within subnet_epochs, or a node
// could declare false ones whenever candidates are frozen and true ones whenever somebody
// looks. The first it ever declares may come at any time.
func (m *Machine) relocate(n *Node, raw [][]byte) error {
	list, err := subnet.FromBytes(raw)
	first := n.Moved == 0 && len(n.Subnets) == 0
	switch again := n.Moved + m.params.SubnetEpochs; {
	case err != nil:
		return refuse(ErrField, "%v", err)
	case slices.Equal(list, n.Subnets):
		return nil
	case !first && m.head.Epoch < again:
		return refuse(ErrMoved, "they changed in epoch %d; try again in epoch %d", n.Moved, again)
	}
	n.Subnets, n.Moved = list, m.head.Epoch
	return nil
}

// livedIn is where a container lived when it was drawn for an epoch or, where it was not or that
// is long ago, lives now.
func (m *Machine) livedIn(id key.Node, epoch uint64, n *Node) ([]subnet.Subnet, error) {
	c, ok, err := candidate(m.overlay, epoch, economics.RoleContainer, id)
	if err != nil || ok {
		return c.Subnets, err
	}
	return n.Subnets, nil
}

// subnetText writes subnets with blanks between them.
func subnetText(list []subnet.Subnet) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = s.String()
	}
	return strings.Join(out, " ")
}
