package job

import "sync"

// bell wakes whoever waits for something to change. Wait first, look then: a change in between is not missed.
type bell struct {
	mu      sync.Mutex
	channel chan struct{} // nil: nobody waits
}

// wait answers a channel that the next ring closes.
func (b *bell) wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.channel == nil {
		b.channel = make(chan struct{})
	}
	return b.channel
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.channel != nil {
		close(b.channel)
		b.channel = nil
	}
}
