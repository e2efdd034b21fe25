package execution

import (
	"hash/maphash"
	"time"
)

// usedIDs are the ids under which something has run and whose result is gone, as hashes of 64 bits: two of some ten thousand are the same
// once in 10^11 times, and then a new command is refused, never an old one repeated.
type usedIDs struct {
	seed  maphash.Seed
	until map[uint64]int64 // Unix seconds
	order []uint64
}

func newUsedIDs() usedIDs {
	return usedIDs{seed: maphash.MakeSeed(), until: map[uint64]int64{}}
}

func (u *usedIDs) has(id string, now time.Time) bool {
	return u.until[maphash.String(u.seed, id)] > now.Unix()
}

// add notes an id and forgets the oldest: too old, or too many.
func (u *usedIDs) add(id string, now time.Time) {
	hash := maphash.String(u.seed, id)
	u.until[hash] = now.Add(usedLife).Unix()
	u.order = append(u.order, hash)
	for len(u.order) > maxUsed || u.until[u.order[0]] <= now.Unix() {
		delete(u.until, u.order[0])
		u.order = u.order[1:]
	}
}
