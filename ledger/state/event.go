package state

import "strconv"

// Attr is one field of an event. Amounts are exact decimal numbers of base units.
type Attr struct{ Key, Value string }

// Event is something that happened, for those who follow the ledger.
type Event struct {
	Kind  string
	Attrs []Attr
}

// event makes an Event of keys and values in turn; values are strings, numbers, or have a
// String method.
func event(kind string, pairs ...any) Event {
	e := Event{Kind: kind, Attrs: make([]Attr, 0, len(pairs)/2)}
	for i := 0; i+1 < len(pairs); i += 2 {
		k, _ := pairs[i].(string)
		e.Attrs = append(e.Attrs, Attr{k, text(pairs[i+1])})
	}
	return e
}

func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case uint64:
		return strconv.FormatUint(v, 10)
	case uint32:
		return strconv.FormatUint(uint64(v), 10)
	case int:
		return strconv.Itoa(v)
	case bool:
		return strconv.FormatBool(v)
	case interface{ String() string }:
		return v.String()
	}
	return ""
}
