package execution

import (
	"errors"
	"sync"
	"time"

	"berth.dev/helper/internal/process"
)

const (
	maxRunning  = 50
	maxResults  = 256
	resultBytes = 8 << 20
	resultLife  = 60 * time.Second
	// An id stays used for longer than its result is kept, so that a late repeat runs nothing a second time.
	usedLife  = 10 * time.Minute
	maxUsed   = 16384
	lostAfter = 30 * time.Second
)

var errTooMany = errors.New("50 executions are running")

// Registry holds the executions by id: an id is run once.
type Registry struct {
	table     *process.Table
	memory    *memory
	lostAfter time.Duration

	mu      sync.Mutex
	byID    map[string]*execution
	running int
	results []result // ended, oldest first
	used    usedIDs
	expire  *time.Timer // set while there are results
}

type result struct {
	of      *execution
	expires time.Time
}

// New makes an empty registry.
func New(table *process.Table) *Registry {
	return &Registry{table: table, memory: newMemory(), lostAfter: lostAfter, byID: map[string]*execution{}, used: newUsedIDs()}
}

// Running is the number of executions that have not ended.
func (r *Registry) Running() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.running
}

// run answers the execution of an id, starting it where there was none. errGone where its result is no longer kept, errTooMany at the limit.
// A client that has output of it already joins: it gets errGone rather than a second run where this helper, restarted maybe, knows nothing of it.
func (r *Registry) run(id string, s *spec, at offsets) (*execution, error) {
	e, fresh, err := r.claim(id, at != offsets{})
	if err != nil {
		return nil, err
	}
	if fresh {
		e.start(r.table, s, func() { r.retire(e) })
		if e.startErr != nil {
			r.forget(e)
		}
	}
	<-e.started
	return e, e.startErr
}

func (r *Registry) claim(id string, joins bool) (e *execution, fresh bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.byID[id]; e != nil {
		return e, false, nil
	}
	if joins || r.used.has(id, time.Now()) {
		return nil, false, errGone
	}
	if r.running >= maxRunning {
		return nil, false, errTooMany
	}
	e = newExecution(id, r.memory, r.lostAfter)
	r.byID[id] = e
	r.running++
	return e, true, nil
}

// find answers a started execution; nil where there is none.
func (r *Registry) find(id string) *execution {
	r.mu.Lock()
	e := r.byID[id]
	r.mu.Unlock()
	if e != nil {
		<-e.started
	}
	return e
}

// forget takes back an id under which nothing has run.
func (r *Registry) forget(e *execution) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running--
	delete(r.byID, e.id)
}

// retire counts an execution as ended and keeps its result for a while.
func (r *Registry) retire(e *execution) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running--
	r.results = append(r.results, result{of: e, expires: time.Now().Add(resultLife)})
	r.trim(time.Now())
}

// settle looks at the bounds again once a request is over.
func (r *Registry) settle() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trim(time.Now())
}

// trim drops results that are too old, too many or too large, the oldest first. Those that are being sent are not counted as kept.
func (r *Registry) trim(now time.Time) {
	count, bytes := 0, int64(0)
	kept := make([]result, 0, min(len(r.results), maxResults))
	for i := len(r.results) - 1; i >= 0; i-- {
		one := r.results[i]
		if !one.of.isAttached() {
			count++
			bytes += one.of.stdout.kept() + one.of.stderr.kept()
		}
		if one.expires.After(now) && (one.of.isAttached() || count <= maxResults && bytes <= resultBytes) {
			kept = append(kept, one)
			continue
		}
		r.used.add(one.of.id, now)
		delete(r.byID, one.of.id)
		one.of.drop()
	}
	for i, j := 0, len(kept)-1; i < j; i, j = i+1, j-1 {
		kept[i], kept[j] = kept[j], kept[i]
	}
	r.results = kept
	r.schedule(now)
}

func (r *Registry) schedule(now time.Time) {
	if r.expire != nil {
		r.expire.Stop()
		r.expire = nil
	}
	if len(r.results) > 0 {
		r.expire = time.AfterFunc(r.results[0].expires.Sub(now), r.settle)
	}
}
