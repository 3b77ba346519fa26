package discovery

import (
	"context"
	"errors"
	"fmt"
	"time"

	ds "github.com/ipfs/go-datastore"
	dssync "github.com/ipfs/go-datastore/sync"
	dht "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p-kad-dht/records"
	record "github.com/libp2p/go-libp2p-record"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// How long the DHT keeps what it was told.
const (
	// provideValidity is far below Kademlia's 48 h: a container that died must not
	// stay listed for two days.
	provideValidity = 30 * time.Minute
	// readvertise leaves room for two lost attempts.
	readvertise = 10 * time.Minute
	// maxRecordAge drops values that nobody puts again, whatever their expiry says.
	maxRecordAge = 2 * time.Hour
)

// How much a DHT server keeps for others. Both stores live in memory.
const (
	maxStoredRecords   = 8192   // of MaxRecord bytes at most: 32 MiB
	maxStoredProviders = 65_536 // of about 200 bytes
)

// Share of the routing table that peers of one IP group (an IPv4 /16, an IPv6
// autonomous system) may hold, against an eclipse by one hoster.
const (
	groupPerBucket = 8
	groupPerTable  = 64
)

// DHTConfig says how a node takes part in the DHT.
type DHTConfig struct {
	Network  string
	Server   bool             // answer others, or only ask
	Loopback bool             // believe loopback addresses; for a network inside one machine
	Now      func() time.Time // nil means time.Now
	// Bootstrap gives the peers that refill an empty routing table.
	Bootstrap []peer.AddrInfo
}

// Prefix is what the network's DHT protocols begin with.
func Prefix(network string) protocol.ID { return protocol.ID("/framemesh/" + network) }

// NewDHT starts the network's DHT on a host. Only node records may be stored in it:
// the public-key and IPNS records of other networks are refused.
func NewDHT(h host.Host, c DHTConfig) (*dht.IpfsDHT, error) {
	if !nameRule.MatchString(c.Network) {
		return nil, fmt.Errorf("%w: network %.40q", ErrName, c.Network)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	mode := dht.ModeClient
	if c.Server {
		mode = dht.ModeServer
	}
	opts := []dht.Option{
		dht.Mode(mode),
		dht.ProtocolPrefix(Prefix(c.Network)),
		dht.Validator(record.NamespacedValidator{Namespace: recordValidator{network: c.Network, now: c.Now}}),
		dht.MaxRecordAge(maxRecordAge),
		dht.ValueGCInterval(maxRecordAge / 4),
		dht.ValueDatastore(newBoundedStore(maxStoredRecords)),
		dht.ProviderDatastore(newBoundedStore(maxStoredProviders)),
		dht.ProviderManagerOpts(records.ProvideValidity(provideValidity), records.CleanupInterval(provideValidity/2), records.ProviderAddrTTL(provideValidity)),
		dht.BootstrapPeers(c.Bootstrap...),
	}
	if !c.Loopback {
		opts = append(opts,
			dht.AddressFilter(dropLoopback),
			dht.RoutingTablePeerDiversityFilter(dht.NewRTPeerDiversityFilter(h, groupPerBucket, groupPerTable)))
	}
	d, err := dht.New(h, opts...)
	if err != nil {
		return nil, fmt.Errorf("discovery: start the DHT: %w", err)
	}
	return d, nil
}

// dropLoopback removes what would lead back into the machine that asks.
func dropLoopback(addrs []ma.Multiaddr) []ma.Multiaddr {
	return ma.FilterAddrs(addrs, func(a ma.Multiaddr) bool { return !manet.IsIPLoopback(a) })
}

// ErrStoreFull says that a DHT server keeps as much for others as it is willing to.
var ErrStoreFull = errors.New("discovery: DHT store is full")

// boundedMap is an in-memory datastore that refuses new keys beyond max. Without it,
// anybody with many keys could fill a server's memory with valid records. It is not
// safe for concurrent use; newBoundedStore adds the lock.
type boundedMap struct {
	*ds.MapDatastore
	max, used int
}

var _ ds.Batching = (*boundedMap)(nil)

func newBoundedStore(limit int) ds.Batching {
	return dssync.MutexWrap(&boundedMap{MapDatastore: ds.NewMapDatastore(), max: limit})
}

// Put stores a value, or returns ErrStoreFull for a new key when the store is full.
func (m *boundedMap) Put(ctx context.Context, key ds.Key, value []byte) error {
	known, err := m.Has(ctx, key)
	if err != nil {
		return err
	}
	if !known {
		if m.used >= m.max {
			return ErrStoreFull
		}
		m.used++
	}
	return m.MapDatastore.Put(ctx, key, value)
}

// Delete makes room.
func (m *boundedMap) Delete(ctx context.Context, key ds.Key) error {
	known, err := m.Has(ctx, key)
	if err != nil {
		return err
	}
	if known {
		m.used--
	}
	return m.MapDatastore.Delete(ctx, key)
}

// Batch goes through Put and Delete, so that a batch cannot pass the limit.
func (m *boundedMap) Batch(context.Context) (ds.Batch, error) { return ds.NewBasicBatch(m), nil }
