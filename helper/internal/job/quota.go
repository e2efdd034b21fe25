package job

import "sync"

// Quota is the disk that the output of all jobs takes together. An emptyDir over its size limit evicts the whole pod instead of refusing
// a write, so the helper has to keep below it by itself.
type Quota struct {
	mu    sync.Mutex
	limit int64
	used  int64
}

// take grants as many of the bytes as are left.
func (q *Quota) take(bytes int64) int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	granted := max(0, min(bytes, q.limit-q.used))
	q.used += granted
	return granted
}

// claim counts bytes that are on the disk already.
func (q *Quota) claim(bytes int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.used += bytes
}

// give returns bytes.
func (q *Quota) give(bytes int64) { q.claim(-bytes) }

func (q *Quota) usedBytes() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.used
}
