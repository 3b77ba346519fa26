package tx

import (
	"fmt"
	"math"
	"sync"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// maxDepth is how deep messages nest: Body, BatchClose, CloseSession, Voucher, and one to
// spare. The shapes below allow no deeper anyway.
const maxDepth = 5

// Protobuf lets one message be written in many ways: fields in any order and any number of
// times, numbers with needless bytes, defaults spelled out, fields nobody knows. Two
// implementations that read such bytes differently would fork the ledger, and anyone could
// give a transaction in flight another hash. So there is one encoding, and Decode refuses
// every other before the protobuf library sees it:
//
//   - fields in rising order of their number, each at most once, elements of a repeated
//     field one after the other;
//   - no field that the message does not have, and one operation;
//   - a number or a text that has its default value (0, empty) is left out;
//   - varints in their shortest form and within their type.
//
// This is what every protobuf library writes that orders fields by number.

// shape is what canonical needs to know of a message: its fields by number.
type shape struct {
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
	message  *shape
	oneof    bool
	known    bool
}

// The shapes are read at first use: the descriptors stand only once the package is up.
var (
	shapeSigned = sync.OnceValue(func() *shape { return shapeOf(new(Signed).ProtoReflect().Descriptor()) })
	shapeBody   = sync.OnceValue(func() *shape { return shapeOf(new(Body).ProtoReflect().Descriptor()) })
)

// mostOf bounds each repeated field, so that small elements cannot make a small input large
// in memory.
var mostOf = map[string]int{"quotes": MaxQuotes, "sessions": MaxBatch, "attestations": MaxAttestations}

// shapeOf reads the shape from the descriptor that the .proto file gave. It panics for a kind of field that the specification does not use.
func shapeOf(d protoreflect.MessageDescriptor) *shape {
	s := &shape{name: string(d.Name())}
	for i := range d.Fields().Len() {
		fd := d.Fields().Get(i)
		f := field{name: string(fd.Name()), known: true, repeated: fd.IsList(), oneof: fd.ContainingOneof() != nil}
		switch fd.Kind() {
		case protoreflect.Uint64Kind:
			f.wire, f.max = protowire.VarintType, math.MaxUint64
		case protoreflect.Uint32Kind:
			f.wire, f.max = protowire.VarintType, math.MaxUint32
		case protoreflect.StringKind:
			f.wire, f.text = protowire.BytesType, true
		case protoreflect.BytesKind:
			f.wire = protowire.BytesType
		case protoreflect.MessageKind:
			f.wire, f.message = protowire.BytesType, shapeOf(fd.Message())
		default:
			panic("tx: no rule for fields of kind " + fd.Kind().String())
		}
		if f.most = mostOf[f.name]; f.repeated && (f.most == 0 || f.wire != protowire.BytesType) {
			panic("tx: no rule for the repeated field " + f.name)
		}
		for n := int(fd.Number()); len(s.fields) <= n; {
			s.fields = append(s.fields, field{})
		}
		s.fields[fd.Number()] = f
	}
	return s
}

// canonical checks that b is the one encoding of a message of shape s.
func canonical(b []byte, s *shape) error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s: %s", ErrEncoding, s.name, fmt.Sprintf(format, args...))
	}
	var last protowire.Number
	operation, elements := false, 0
	for len(b) > 0 {
		tag, n := shortVarint(b)
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
		case f.oneof && operation:
			return bad("more than one operation")
		}
		if num != last {
			elements = 0
		}
		if elements++; f.repeated && elements > f.most {
			return wrong(f.name, "more than %d", f.most)
		}
		last, operation = num, operation || f.oneof
		v, n := shortVarint(b)
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
			if err := canonical(value, f.message); err != nil {
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

// shortVarint reads a varint in its shortest form; n is 0 or less when there is none.
func shortVarint(b []byte) (v uint64, n int) {
	v, n = protowire.ConsumeVarint(b)
	if n > 0 && n != protowire.SizeVarint(v) {
		return 0, 0
	}
	return v, n
}

// appendMessage writes the canonical encoding. It does not rely on the order in which the
// protobuf library writes fields, which that library promises to nobody.
func appendMessage(b []byte, m protoreflect.Message) ([]byte, error) {
	if !m.IsValid() {
		return nil, fmt.Errorf("%w: %s is missing", ErrOperation, m.Descriptor().Name())
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
	if size := proto.Size(m.Interface()); size > MaxSize {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, size, MaxSize)
	}
	return b, nil
}

func appendValue(b []byte, fd protoreflect.FieldDescriptor, v protoreflect.Value) ([]byte, error) {
	num := protowire.Number(fd.Number())
	switch fd.Kind() {
	case protoreflect.Uint64Kind, protoreflect.Uint32Kind:
		return protowire.AppendVarint(protowire.AppendTag(b, num, protowire.VarintType), v.Uint()), nil
	case protoreflect.StringKind:
		return protowire.AppendString(protowire.AppendTag(b, num, protowire.BytesType), v.String()), nil
	case protoreflect.BytesKind:
		return protowire.AppendBytes(protowire.AppendTag(b, num, protowire.BytesType), v.Bytes()), nil
	}
	inner, err := appendMessage(nil, v.Message())
	if err != nil {
		return nil, err
	}
	return protowire.AppendBytes(protowire.AppendTag(b, num, protowire.BytesType), inner), nil
}
