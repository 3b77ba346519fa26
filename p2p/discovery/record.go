package discovery

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/framemesh/framemesh/p2p/seal"
	"github.com/framemesh/framemesh/p2p/wire"
)

// Limits on a node record.
const (
	MaxRecord    = 4096           // bytes, sealed
	MaxRecordTTL = 24 * time.Hour // from seq to expiry
	MaxSkew      = time.Minute    // how far a record may come from the future
	maxAddrs     = 16
	maxAddr      = 256 // bytes of one binary multiaddr
	maxRoles     = 8
	maxText      = 64 // bytes of a role, a region or an agent
)

// ErrRecord says why a node record was refused.
var ErrRecord = errors.New("discovery: node record")

// Namespace is the first part of the DHT keys that hold node records.
const Namespace = "framemesh"

// recordPrefix is followed by the bytes of the peer id.
const recordPrefix = "/" + Namespace + "/node/"

// RecordKey is the DHT key of a peer's node record.
func RecordKey(id peer.ID) string { return recordPrefix + string(id) }

// CheckRecord opens a sealed node record and decides whether it may stand under key
// at the given time: it is at most MaxRecord bytes, sealed by the peer that the key
// names, well formed, not expired, not valid for longer than MaxRecordTTL and not
// made more than MaxSkew in the future. It returns an error that wraps ErrRecord.
func CheckRecord(network, key string, value []byte, now time.Time) (*wire.NodeRecord, error) {
	raw, ok := strings.CutPrefix(key, recordPrefix)
	if !ok {
		return nil, fmt.Errorf("%w: key %.40q does not begin with %s", ErrRecord, key, recordPrefix)
	}
	id, err := peer.IDFromBytes([]byte(raw))
	if err != nil {
		return nil, fmt.Errorf("%w: key ends in no peer id", ErrRecord)
	}
	var rec wire.NodeRecord
	signer, err := seal.Open(network, seal.TypeNode, value, MaxRecord, &rec)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	if signer != id || !bytes.Equal(rec.GetPeerId(), []byte(id)) {
		return nil, fmt.Errorf("%w: signed by %s, names another or stands under another's key", ErrRecord, signer)
	}
	if err := checkFields(&rec); err != nil {
		return nil, err
	}
	nowMs := uint64(max(0, now.UnixMilli()))
	switch {
	case rec.GetExpiresMs() <= nowMs:
		return nil, fmt.Errorf("%w: expired", ErrRecord)
	case rec.GetSeq() > nowMs+uint64(MaxSkew.Milliseconds()):
		return nil, fmt.Errorf("%w: made in the future", ErrRecord)
	case rec.GetExpiresMs() <= rec.GetSeq() || rec.GetExpiresMs()-rec.GetSeq() > uint64(MaxRecordTTL.Milliseconds()):
		return nil, fmt.Errorf("%w: valid for longer than %v", ErrRecord, MaxRecordTTL)
	}
	return &rec, nil
}

func checkFields(rec *wire.NodeRecord) error {
	if len(rec.GetAddrs()) > maxAddrs || len(rec.GetRoles()) > maxRoles || len(rec.GetRegion()) > maxText || len(rec.GetAgent()) > maxText {
		return fmt.Errorf("%w: a field is over its limit", ErrRecord)
	}
	for _, role := range rec.GetRoles() {
		if !nameRule.MatchString(role) {
			return fmt.Errorf("%w: role %.40q", ErrRecord, role)
		}
	}
	if rec.GetRegion() != "" && !nameRule.MatchString(rec.GetRegion()) {
		return fmt.Errorf("%w: region %.40q", ErrRecord, rec.GetRegion())
	}
	for _, addr := range rec.GetAddrs() {
		if len(addr) > maxAddr {
			return fmt.Errorf("%w: an address is over %d bytes", ErrRecord, maxAddr)
		}
		if _, err := ma.NewMultiaddrBytes(addr); err != nil {
			return fmt.Errorf("%w: an address does not parse", ErrRecord)
		}
	}
	return nil
}

// recordValidator is the DHT's judge of the keys below Namespace.
type recordValidator struct {
	network string
	now     func() time.Time
}

// Validate implements record.Validator.
func (v recordValidator) Validate(key string, value []byte) error {
	_, err := CheckRecord(v.network, key, value, v.now())
	return err
}

// Select implements record.Validator: the highest sequence number wins. Two records
// with the same number are ordered by their bytes, so that all nodes agree.
func (v recordValidator) Select(key string, values [][]byte) (int, error) {
	best, bestSeq := -1, uint64(0)
	for i, value := range values {
		rec, err := CheckRecord(v.network, key, value, v.now())
		if err != nil {
			continue
		}
		if best < 0 || rec.GetSeq() > bestSeq || (rec.GetSeq() == bestSeq && bytes.Compare(value, values[best]) > 0) {
			best, bestSeq = i, rec.GetSeq()
		}
	}
	if best < 0 {
		return 0, fmt.Errorf("%w: none of %d is valid", ErrRecord, len(values))
	}
	return best, nil
}
