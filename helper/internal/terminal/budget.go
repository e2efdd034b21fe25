package terminal

import "sync"

// Budget is the disk that the rings may take together, beyond what each is guaranteed. An emptyDir over its size limit evicts the whole
// pod instead of refusing a write, so the helper has to keep below it by itself.
type Budget struct {
	mu   sync.Mutex
	free int64
}

// NewBudget has so many bytes to give.
func NewBudget(bytes int64) *Budget { return &Budget{free: bytes} }

// Take answers whether the bytes were there; then they belong to the caller until Give.
func (b *Budget) Take(bytes int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.free < bytes {
		return false
	}
	b.free -= bytes
	return true
}

// Give returns what Take has given.
func (b *Budget) Give(bytes int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.free += bytes
}
