package state

func (m *Machine) epochEmission(last, epoch uint64) ([]Event, error) { return nil, nil }

func (m *Machine) distributeDue(subject []byte) ([]Event, error) { return nil, nil }
