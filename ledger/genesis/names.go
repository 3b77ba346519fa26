package genesis

import (
	"encoding/json"
	"fmt"

	"github.com/framemesh/framemesh/ledger/economics"
)

// Roles are economics.Role as a list of names in the file.
type Roles economics.Role

var roleNames = []struct {
	role economics.Role
	name string
}{
	{economics.RoleContainer, "container"},
	{economics.RoleIndexer, "indexer"},
	{economics.RoleChecker, "checker"},
}

// MarshalJSON writes the names in the order container, indexer, checker.
func (r Roles) MarshalJSON() ([]byte, error) {
	names := []string{}
	for _, n := range roleNames {
		if economics.Role(r).Has(n.role) {
			names = append(names, n.name)
		}
	}
	return json.Marshal(names)
}

// UnmarshalJSON reads a list of names in any order.
func (r *Roles) UnmarshalJSON(b []byte) error {
	var names []string
	if err := json.Unmarshal(b, &names); err != nil {
		return fmt.Errorf("%w: roles is a list such as [\"container\"]: %w", ErrField, err)
	}
	*r = 0
next:
	for _, name := range names {
		for _, n := range roleNames {
			if n.name != name {
				continue
			}
			if economics.Role(*r).Has(n.role) {
				return fmt.Errorf("%w: the role %s", ErrDuplicate, name)
			}
			*r |= Roles(n.role)
			continue next
		}
		return fmt.Errorf("%w: there is no role %.40q; choose container, indexer, checker", ErrField, name)
	}
	return nil
}

// Class is economics.Class as a name in the file.
type Class economics.Class

// MarshalText implements encoding.TextMarshaler.
func (c Class) MarshalText() ([]byte, error) {
	switch economics.Class(c) {
	case economics.ClassEdge:
		return []byte("edge"), nil
	case economics.ClassEnterprise:
		return []byte("enterprise"), nil
	}
	return nil, fmt.Errorf("%w: there is no hardware class %d; choose edge or enterprise", ErrField, c)
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (c *Class) UnmarshalText(b []byte) error {
	switch string(b) {
	case "edge":
		*c = Class(economics.ClassEdge)
	case "enterprise":
		*c = Class(economics.ClassEnterprise)
	default:
		return fmt.Errorf("%w: there is no hardware class %.40q; choose edge or enterprise", ErrField, b)
	}
	return nil
}
