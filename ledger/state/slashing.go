package state

func (m *Machine) punish(v Misbehavior) ([]Event, error) { return nil, nil }

func (m *Machine) slashDue(subject []byte) ([]Event, error) { return nil, nil }
