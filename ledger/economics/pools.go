package economics

// Pool is a purse of the network that belongs to no account.
type Pool uint8

// Pools. The first ten stand in the genesis file; the others start empty.
const (
	PoolEdge         Pool = iota // for containers of class edge
	PoolEnterprise               // for containers of class enterprise
	PoolCheckerBase              // for correct checks, each epoch
	PoolCheckerBonus             // for checkers, each quarter
	PoolTeam                     // not yet given to accounts; so the next four
	PoolInvestors
	PoolEcosystem
	PoolDAO // also half of the fees
	PoolAirdrop
	PoolReserve   // remainders, and emission that nobody earned; leaves only by vote
	PoolGrants    // the grants' part of the take
	PoolIndexers  // the indexers' part of the take until it is paid, and of fees
	PoolPenalties // the checkers' part of slashes, until the end of the quarter
	poolCount
)

var poolNames = [poolCount]string{
	"edge", "enterprise", "checker_base", "checker_bonus", "team", "investors", "ecosystem",
	"dao", "airdrop", "reserve", "grants", "indexers", "penalties",
}

// GenesisPools is how many pools, from PoolEdge on, stand in the genesis file.
const GenesisPools = int(PoolReserve) + 1

// Pools lists all of them in their order.
func Pools() []Pool {
	all := make([]Pool, poolCount)
	for i := range all {
		all[i] = Pool(i)
	}
	return all
}

// String is the pool's name as in the genesis file; "" for a number that is none.
func (p Pool) String() string {
	if p >= poolCount {
		return ""
	}
	return poolNames[p]
}

// ParsePool finds a pool by its name.
func ParsePool(name string) (Pool, bool) {
	for i, n := range poolNames {
		if n == name {
			return Pool(i), true
		}
	}
	return 0, false
}

// Role is a set of what a node does, as bits of Register.roles.
type Role uint32

// Roles.
const (
	RoleContainer Role = 1 << iota
	RoleIndexer
	RoleChecker
	roleEnd
)

// Has says whether r includes all of q.
func (r Role) Has(q Role) bool { return r&q == q }

// Valid says whether r is not empty and has no bit that means nothing.
func (r Role) Valid() bool { return r != 0 && r < roleEnd }

// Class is the hardware class of a container: which pool rewards it.
type Class uint32

// Classes.
const (
	ClassEdge Class = iota
	ClassEnterprise
	classEnd
)

// Valid says whether c is a class.
func (c Class) Valid() bool { return c < classEnd }
