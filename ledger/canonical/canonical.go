// Package canonical knows the one encoding that a protobuf message has on the ledger and in
// what is evidence for it. Protobuf lets one message be written in many ways: fields in any
// order and any number of times, numbers with needless bytes, defaults spelled out, fields
// nobody knows. Two implementations that read such bytes differently would fork the ledger,
// and anyone could give a message in flight another hash. So there is one encoding, and
// Check refuses every other before the protobuf library sees it:
//
//   - fields in rising order of their number, each at most once, elements of a repeated
//     field one after the other;
//   - no field that the message does not have, and at most one of a oneof;
//   - a number or a text that has its default value (0, empty) is left out;
//   - varints in their shortest form and within their type.
//
// This is what every protobuf library writes that orders fields by number.
package canonical

import (
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Errors of this package.
var (
	// ErrEncoding is another encoding than the one.
	ErrEncoding = errors.New("canonical: not the one encoding")
	// ErrMany is a repeated field with more elements than its bound.
	ErrMany = errors.New("canonical: too many elements")
	// ErrMissing is a message that is nil where one must be written.
	ErrMissing = errors.New("canonical: a message is missing")
)

// Shape is what Check needs to know of a message: its fields by number.
type Shape struct {
	name   string
	fields []field
}

type field struct {
	name     string
	wire     protowire.Type
	max      uint64 // of a varint
	text     bool
	repeated bool
	most     int // elements of a repeated field
	message  *Shape
	oneof    bool
	known    bool
}

// ShapeOf reads the shape from the descriptor that the .proto file gave. most bounds each
// repeated field by its name, alone or behind the name of its message and a dot, so that
// small elements cannot make a small input large in memory. It panics for a kind of field
// that has no rule, for a repeated field without a bound, and for a message that holds
// itself: all of them mistakes in a .proto file. Descriptors stand only once their package
// is up, so call it at first use.
func ShapeOf(d protoreflect.MessageDescriptor, most map[string]int) *Shape {
	s := &Shape{name: string(d.Name())}
	for i := range d.Fields().Len() {
		fd := d.Fields().Get(i)
		f := field{name: string(fd.Name()), known: true, repeated: fd.IsList(), oneof: fd.ContainingOneof() != nil}
		switch fd.Kind() {
		case protoreflect.Uint64Kind:
			f.wire, f.max = protowire.VarintType, math.MaxUint64
		case protoreflect.Uint32Kind:
			f.wire, f.max = protowire.VarintType, math.MaxUint32
		case protoreflect.BoolKind:
			f.wire, f.max = protowire.VarintType, 1
		case protoreflect.StringKind:
			f.wire, f.text = protowire.BytesType, true
		case protoreflect.BytesKind:
			f.wire = protowire.BytesType
		case protoreflect.MessageKind:
			f.wire, f.message = protowire.BytesType, ShapeOf(fd.Message(), most)
		default:
			panic("canonical: no rule for fields of kind " + fd.Kind().String())
		}
		var ok bool
		if f.most, ok = most[s.name+"."+f.name]; !ok {
			f.most = most[f.name]
		}
		if f.repeated && (f.most == 0 || f.wire != protowire.BytesType) {
			panic("canonical: no rule for the repeated field " + f.name)
		}
		for n := int(fd.Number()); len(s.fields) <= n; {
			s.fields = append(s.fields, field{})
		}
		s.fields[fd.Number()] = f
	}
	return s
}

// Check says whether b is the one encoding of a message of shape s: it wraps ErrEncoding or
// ErrMany and names the field. It allocates nothing for what it takes.
func (s *Shape) Check(b []byte) error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s: %s", ErrEncoding, s.name, fmt.Sprintf(format, args...))
	}
	var last protowire.Number
	chosen, elements := false, 0
	for len(b) > 0 {
		tag, n := varint(b)
		if n <= 0 {
			return bad("a field's number is cut off or needlessly long")
		}
		b = b[n:]
		num, wire := protowire.DecodeTag(tag)
		if num < 1 || int(num) >= len(s.fields) || !s.fields[num].known {
			return bad("there is no field %d", num)
		}
		f := &s.fields[num]
		switch {
		case wire != f.wire:
			return bad("%s has wire type %d, must be %d", f.name, wire, f.wire)
		case num < last:
			return bad("%s stands after a field of higher number", f.name)
		case num == last && !f.repeated:
			return bad("%s stands there twice", f.name)
		case f.oneof && chosen:
			return bad("more than one of those that exclude each other")
		}
		if num != last {
			elements = 0
		}
		if elements++; f.repeated && elements > f.most {
			return fmt.Errorf("%w: %s: more than %d", ErrMany, f.name, f.most)
		}
		last, chosen = num, chosen || f.oneof
		v, n := varint(b)
		if n <= 0 {
			return bad("%s is cut off or needlessly long", f.name)
		}
		b = b[n:]
		if wire == protowire.VarintType {
			if v == 0 {
				return bad("%s is 0 and must be left out", f.name)
			}
			if v > f.max {
				return bad("%s is %d, at most %d", f.name, v, f.max)
			}
			continue
		}
		if v > uint64(len(b)) {
			return bad("%s says %d bytes where %d are left", f.name, v, len(b))
		}
		value := b[:v]
		b = b[v:]
		switch {
		case f.message != nil:
			if err := f.message.Check(value); err != nil {
				return err
			}
		case v == 0 && !f.repeated:
			return bad("%s is empty and must be left out", f.name)
		case f.text && !utf8.Valid(value):
			return bad("%s is no UTF-8", f.name)
		}
	}
	return nil
}

// varint reads a varint in its shortest form; n is 0 or less when there is none.
func varint(b []byte) (v uint64, n int) {
	v, n = protowire.ConsumeVarint(b)
	if n > 0 && n != protowire.SizeVarint(v) {
		return 0, 0
	}
	return v, n
}

// Append writes the one encoding behind b. It does not rely on the order in which the
// protobuf library writes fields, which that library promises to nobody. It wraps
// ErrMissing for a nil message and ErrEncoding for unknown fields; bounds are Check's.
func Append(b []byte, m protoreflect.Message) ([]byte, error) {
	if !m.IsValid() {
		return nil, fmt.Errorf("%w: %s", ErrMissing, m.Descriptor().Name())
	}
	if len(m.GetUnknown()) > 0 {
		return nil, fmt.Errorf("%w: %s holds fields that nobody knows", ErrEncoding, m.Descriptor().Name())
	}
	fields := m.Descriptor().Fields()
	highest := protoreflect.FieldNumber(0)
	for i := range fields.Len() {
		highest = max(highest, fields.Get(i).Number())
	}
	var err error
	for num := protoreflect.FieldNumber(1); num <= highest; num++ {
		fd := fields.ByNumber(num)
		if fd == nil || !m.Has(fd) {
			continue
		}
		if !fd.IsList() {
			if b, err = appendValue(b, fd, m.Get(fd)); err != nil {
				return nil, err
			}
			continue
		}
		list := m.Get(fd).List()
		for i := range list.Len() {
			if b, err = appendValue(b, fd, list.Get(i)); err != nil {
				return nil, err
			}
		}
	}
	return b, nil
}

func appendValue(b []byte, fd protoreflect.FieldDescriptor, v protoreflect.Value) ([]byte, error) {
	num := protowire.Number(fd.Number())
	switch fd.Kind() {
	case protoreflect.BoolKind:
		return protowire.AppendVarint(protowire.AppendTag(b, num, protowire.VarintType), 1), nil // false is left out
	case protoreflect.Uint64Kind, protoreflect.Uint32Kind:
		return protowire.AppendVarint(protowire.AppendTag(b, num, protowire.VarintType), v.Uint()), nil
	case protoreflect.StringKind:
		return protowire.AppendString(protowire.AppendTag(b, num, protowire.BytesType), v.String()), nil
	case protoreflect.BytesKind:
		return protowire.AppendBytes(protowire.AppendTag(b, num, protowire.BytesType), v.Bytes()), nil
	}
	inner, err := Append(nil, v.Message())
	if err != nil {
		return nil, err
	}
	return protowire.AppendBytes(protowire.AppendTag(b, num, protowire.BytesType), inner), nil
}
