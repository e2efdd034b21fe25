package terminal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"berth.dev/helper/internal/process"
	"berth.dev/helper/internal/tty"
)

const (
	maxLive  = 20
	maxEnded = 20
	// maxAttached and maxAttachedToAll bound the streams: the connection has a bounded number, and requests that are answered at once need
	// some of them.
	maxAttached      = 20
	maxAttachedToAll = 60
	// totalRingBytes is what all rings take together; what is not guaranteed to one goes to those that come first.
	totalRingBytes = 256 << 20
	// maxRemembered bounds the ids that never run again; the oldest are forgotten.
	maxRemembered = 10_000
)

var (
	// ErrTooMany says that as many terminals live as may.
	ErrTooMany = fmt.Errorf("at most %d terminals at once", maxLive)
	// ErrUsed says that a terminal of this id has ended and was removed.
	ErrUsed = errors.New("a terminal of this id has ended")
)

// Options are what a registry needs.
type Options struct {
	// Dir is the helper's own folder; the rings lie in `terminals` below it.
	Dir   string
	Table *process.Table
	// DetachedAfter is how long a terminal lives without anybody attached; 0: 30 minutes.
	DetachedAfter time.Duration
	// KeepEnded is how long an ended terminal can be read; 0: 60 seconds.
	KeepEnded time.Duration
	// Activity is told of every piece of input and output that passes; nil: nobody is.
	Activity func()
}

// Registry holds the terminals of one helper.
//
// `starting` lets one terminal start at a time, so that an id never runs twice; `mu` guards the fields below it and is never held
// while one starts or ends. It is taken before a terminal's lock, never within it.
type Registry struct {
	options Options
	folder  string
	budget  *Budget
	streams atomic.Int64

	starting sync.Mutex

	mu        sync.Mutex
	terminals map[string]*Terminal
	order     []*Terminal // by their start
	removed   []string
}

// New removes what an earlier run of the helper has left: a restart of the container has ended its terminals.
func New(options Options) *Registry {
	if options.DetachedAfter == 0 {
		options.DetachedAfter = 30 * time.Minute
	}
	if options.KeepEnded == 0 {
		options.KeepEnded = time.Minute
	}
	if options.Activity == nil {
		options.Activity = func() {}
	}
	folder := filepath.Join(options.Dir, "terminals")
	// What cannot be removed shows when the first ring is made.
	_ = os.RemoveAll(folder)
	return &Registry{
		options:   options,
		folder:    folder,
		budget:    NewBudget(totalRingBytes - (maxLive+maxEnded)*guaranteedBytes),
		terminals: map[string]*Terminal{},
	}
}

// create starts a terminal, or answers the one of this id. ErrTooMany, ErrUsed, *process.StartError, or the disk's error.
func (r *Registry) create(id string, wanted spec) (t *Terminal, created bool, err error) {
	r.starting.Lock()
	defer r.starting.Unlock()
	if t := r.find(id); t != nil {
		return t, false, nil
	}
	if r.wasRemoved(id) {
		return nil, false, ErrUsed
	}
	if r.Count() >= maxLive {
		return nil, false, ErrTooMany
	}
	t, err = r.start(id, wanted)
	if err != nil {
		return nil, false, err
	}
	t.begin()
	r.mu.Lock()
	r.terminals[id] = t
	r.order = append(r.order, t)
	r.mu.Unlock()
	go r.afterEnd(t)
	return t, true, nil
}

func (r *Registry) start(id string, wanted spec) (*Terminal, error) {
	if err := os.MkdirAll(r.folder, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the rings: %w", err)
	}
	ring, err := NewRing(filepath.Join(r.folder, id+".ring"), wanted.RingBytes, r.budget)
	if err != nil {
		return nil, err
	}
	master, terminal, err := tty.Open()
	if err != nil {
		ring.Remove()
		return nil, err
	}
	started, err := r.run(master, terminal, wanted)
	if err != nil {
		_ = master.Close()
		_ = terminal.Close()
		ring.Remove()
		return nil, err
	}
	return &Terminal{
		id: id, process: started, master: master, terminal: terminal, ring: ring, cols: wanted.Cols, rows: wanted.Rows,
		detachedAfter: r.options.DetachedAfter, activity: r.options.Activity, streams: &r.streams,
		typing: make(chan struct{}, 1), room: make(chan struct{}, 1), finished: make(chan struct{}),
	}, nil
}

func (r *Registry) run(master, terminal *os.File, wanted spec) (*process.Process, error) {
	if err := tty.Resize(master, wanted.Cols, wanted.Rows); err != nil {
		return nil, fmt.Errorf("set the size of the terminal: %w", err)
	}
	return r.options.Table.Start(process.Spec{
		Argv: wanted.Argv, Dir: wanted.Cwd, Env: process.MergeEnv(r.options.Table.BaseEnv(), wanted.environment()),
		Stdin: terminal, Stdout: terminal, Stderr: terminal, Terminal: true,
	})
}

// afterEnd keeps an ended terminal for whoever comes back for the rest of it, and then removes it.
func (r *Registry) afterEnd(t *Terminal) {
	<-t.finished
	r.removeSurplus()
	for {
		timer := time.NewTimer(r.options.KeepEnded)
		<-timer.C
		// Who is still reading may finish, as long as the place is not needed.
		if !t.attached() {
			break
		}
	}
	r.remove(t)
}

func (r *Registry) removeSurplus() {
	ended := slices.DeleteFunc(r.all(), func(t *Terminal) bool { return !t.hasFinished() })
	slices.SortFunc(ended, func(a, b *Terminal) int { return a.endTime().Compare(b.endTime()) })
	for len(ended) > maxEnded {
		r.remove(ended[0])
		ended = ended[1:]
	}
}

// remove forgets an ended terminal; a second call does nothing.
func (r *Registry) remove(t *Terminal) {
	r.mu.Lock()
	if r.terminals[t.id] == t {
		delete(r.terminals, t.id)
		r.order = slices.DeleteFunc(r.order, func(other *Terminal) bool { return other == t })
		r.removed = append(r.removed, t.id)
		r.removed = r.removed[max(0, len(r.removed)-maxRemembered):]
	}
	r.mu.Unlock()
	t.cutAll()
	t.ring.Remove()
}

func (r *Registry) find(id string) *Terminal {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.terminals[id]
}

func (r *Registry) wasRemoved(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Contains(r.removed, id)
}

func (r *Registry) all() []*Terminal {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.order)
}

// Count is the number of terminals that live.
func (r *Registry) Count() int {
	count := 0
	for _, t := range r.all() {
		if !t.hasFinished() {
			count++
		}
	}
	return count
}

// DiskBytes is what the rings take on disk.
func (r *Registry) DiskBytes() int64 {
	var sum int64
	for _, t := range r.all() {
		sum += t.ring.Capacity()
	}
	return sum
}

// Close ends every terminal with everything in it, and removes the rings; it returns when that is done, or with the context.
func (r *Registry) Close(ctx context.Context) {
	var group sync.WaitGroup
	for _, t := range r.all() {
		group.Go(func() {
			t.end(ctx, Ended)
			if t.hasFinished() {
				r.remove(t)
			}
		})
	}
	group.Wait()
}
