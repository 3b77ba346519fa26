package wire_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/framemesh/framemesh/p2p/wire"
)

// Every message that comes from a stranger. None may panic or change on a second
// round trip, whatever bytes it came from.
var messages = []proto.Message{
	&wire.NodeRecord{}, &wire.Ad{}, &wire.MatchRequest{}, &wire.Certificate{}, &wire.MatchResponse{},
	&wire.MatchRefusal{}, &wire.ReserveRequest{}, &wire.ReserveResponse{}, &wire.SignalRequest{},
	&wire.SignalResponse{}, &wire.AnswerProof{}, &wire.AdRequest{}, &wire.AdResponse{}, &wire.AppRequest{},
	&wire.AppResponse{}, &wire.StatusRequest{}, &wire.StatusResponse{}, &wire.Response{},
	&wire.CommitRequest{}, &wire.CommitResponse{}, &wire.OpenRequest{}, &wire.OpenResponse{}, &wire.PingRequest{}, &wire.PingResponse{},
	&wire.RecallRequest{}, &wire.RecallResponse{}, &wire.AuditRequest{}, &wire.AuditResponse{},
	&wire.AccountRequest{}, &wire.AccountQuestion{}, &wire.AccountResponse{},
}

func FuzzMessages(f *testing.F) {
	ad, err := proto.Marshal(&wire.Ad{Seq: 1, Region: "eu-west", Apps: []*wire.AppOffer{{Name: "latency"}}, CoordinateUs: []int32{-1, 1}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(ad)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, kind := range messages {
			msg := kind.ProtoReflect().New().Interface()
			if proto.Unmarshal(data, msg) != nil {
				continue
			}
			b, err := proto.Marshal(msg)
			if err != nil {
				t.Fatalf("%T: %v", msg, err)
			}
			again := kind.ProtoReflect().New().Interface()
			if err := proto.Unmarshal(b, again); err != nil || !proto.Equal(msg, again) {
				t.Fatalf("%T does not survive a round trip: %v", msg, err)
			}
		}
	})
}
