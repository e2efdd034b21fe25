package job

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"berth.dev/helper/internal/ids"
	"berth.dev/helper/internal/process"
)

const (
	maxRunning = 50
	maxKept    = 1000
	// totalOutput is what the output of all jobs takes together, in bytes.
	totalOutput = 4 << 30
	// maxRemembered bounds the ids of removed jobs, which never run again; the oldest are forgotten.
	maxRemembered = 10_000
)

var (
	errTooManyRunning = fmt.Errorf("at most %d jobs run at once", maxRunning)
	errTooManyKept    = fmt.Errorf("at most %d jobs are kept", maxKept)
	errUsed           = errors.New("a job of this id was removed")
	errRunning        = errors.New("the job is running")
)

// Options are what a registry needs.
type Options struct {
	// Dir is the helper's own folder; the jobs lie in `jobs` below it.
	Dir   string
	Table *process.Table
	// TotalOutputBytes is what the output of all jobs takes together; 0: 4 GiB.
	TotalOutputBytes int64
	// Log is told what of an earlier run cannot be taken over; nil: nobody is.
	Log *log.Logger
}

// Registry holds the jobs of one pod.
//
// `starting` lets one job start or be removed at a time, so that an id never runs twice; `mu` guards the fields below it and is never
// held during I/O. It is taken before a job's lock, never within it.
type Registry struct {
	table  *process.Table
	folder string
	quota  *Quota
	log    *log.Logger

	follows atomic.Int64 // streams of output that wait for more

	starting sync.Mutex

	mu      sync.Mutex
	jobs    map[string]*job
	removed []string
}

// New takes over what earlier runs of the helper in this pod have left. A job whose end nobody saw has ended with the container. The
// folder is in reach of the session's own programs: what cannot be taken over or removed is logged and left.
func New(options Options) *Registry {
	limit := options.TotalOutputBytes
	if limit == 0 {
		limit = totalOutput
	}
	logger := options.Log
	if logger == nil {
		logger = log.New(io.Discard, "", 0)
	}
	r := &Registry{
		table: options.Table, folder: filepath.Join(options.Dir, "jobs"), quota: &Quota{limit: limit}, log: logger, jobs: map[string]*job{},
	}
	if err := r.prepare(); err != nil {
		r.log.Printf("jobs: %v", err)
		return r
	}
	entries, err := os.ReadDir(r.folder)
	if err != nil {
		r.log.Printf("read the folder of the jobs: %v", err)
	}
	for _, entry := range entries {
		if err := r.restore(entry.Name()); err != nil {
			r.log.Printf("leave %q among the jobs: %v", entry.Name(), err)
		}
	}
	return r
}

// prepare makes the folder of all jobs; anything else in its place makes way.
func (r *Registry) prepare() error {
	if info, err := os.Lstat(r.folder); err == nil && !info.IsDir() {
		if err := os.Remove(r.folder); err != nil {
			return fmt.Errorf("make room for the folder of the jobs: %w", err)
		}
	}
	if err := os.MkdirAll(r.folder, 0o700); err != nil {
		return fmt.Errorf("make the folder of the jobs: %w", err)
	}
	return nil
}

// restore takes over one folder, or removes it where nothing has run in it.
func (r *Registry) restore(name string) error {
	at := folder(filepath.Join(r.folder, name))
	begun, err := at.identity()
	if err != nil || begun.ID != name || !ids.Valid(name) {
		if err := os.RemoveAll(string(at)); err != nil {
			return fmt.Errorf("remove what is no job: %w", err)
		}
		return nil
	}
	one := r.newJob(name, at, begun.StartedAt)
	one.stdout, one.stderr = oldSpool(at.stdout(), r.quota), oldSpool(at.stderr(), r.quota)
	r.jobs[name] = one
	if result, err := at.result(); err == nil && result.ID == name {
		one.status = result
		close(one.ended)
		return nil
	}
	one.conclude(one.status.endWith(PodRestarted, process.Status{}, "the container was restarted", time.Now()))
	return nil
}

func (r *Registry) newJob(id string, at folder, startedAt time.Time) *job {
	return &job{
		folder: at, ended: make(chan struct{}), stopped: make(chan struct{}),
		status: Status{ID: id, Status: running, StartedAt: startedAt.UTC()},
	}
}

// create starts a job, or answers the one of this id. errUsed, errTooMany…, or the disk's error; a program that cannot be run is a job
// that has ended.
func (r *Registry) create(id string, wanted spec) (one *job, created bool, err error) {
	r.starting.Lock()
	defer r.starting.Unlock()
	if one := r.find(id); one != nil {
		return one, false, nil
	}
	if err := r.admit(id); err != nil {
		return nil, false, err
	}
	one, err = r.start(id, wanted)
	if err != nil {
		return nil, false, err
	}
	r.mu.Lock()
	r.jobs[id] = one
	r.mu.Unlock()
	return one, true, nil
}

func (r *Registry) admit(id string) error {
	running := r.Count()
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case slices.Contains(r.removed, id):
		return errUsed
	case running >= maxRunning:
		return errTooManyRunning
	case len(r.jobs) >= maxKept:
		return errTooManyKept
	}
	return nil
}

func (r *Registry) start(id string, wanted spec) (*job, error) {
	at := folder(filepath.Join(r.folder, id))
	one := r.newJob(id, at, time.Now())
	err := at.make(identity{ID: id, StartedAt: one.status.StartedAt})
	if err == nil {
		one.stdout, err = makeSpool(at.stdout(), wanted.outputLimit, r.quota)
	}
	if err == nil {
		one.stderr, err = makeSpool(at.stderr(), wanted.outputLimit, r.quota)
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(string(at)))
	}
	pumps, input, err := one.launch(r.table, wanted)
	var cannotStart *process.StartError
	switch {
	case errors.As(err, &cannotStart):
		one.conclude(one.status.endWith("", process.Status{ExitCode: cannotStart.ExitCode}, cannotStart.Message, time.Now()))
	case err != nil:
		one.stdout.close()
		one.stderr.close()
		return nil, errors.Join(err, os.RemoveAll(string(at)))
	default:
		go one.supervise(wanted, pumps, input)
	}
	return one, nil
}

// remove deletes an ended job; errRunning for any other.
func (r *Registry) remove(one *job) error {
	r.starting.Lock()
	defer r.starting.Unlock()
	if !one.hasEnded() {
		return errRunning
	}
	id := one.current().ID
	if r.find(id) != one {
		return nil
	}
	if err := one.folder.remove(); err != nil {
		return err
	}
	one.stdout.forget()
	one.stderr.forget()
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.jobs, id)
	r.removed = append(r.removed, id)
	r.removed = r.removed[max(0, len(r.removed)-maxRemembered):]
	return nil
}

func (r *Registry) find(id string) *job {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.jobs[id]
}

func (r *Registry) all() []*job {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]*job, 0, len(r.jobs))
	for _, one := range r.jobs {
		all = append(all, one)
	}
	return all
}

// Count is the number of jobs that run.
func (r *Registry) Count() int {
	count := 0
	for _, one := range r.all() {
		if !one.hasEnded() {
			count++
		}
	}
	return count
}

// DiskBytes is what the output of all jobs takes on disk.
func (r *Registry) DiskBytes() int64 { return r.quota.usedBytes() }

// Close ends every job with everything in it, as `pod_restarted`; it returns when that is done, or with the context.
func (r *Registry) Close(ctx context.Context) {
	all := r.all()
	for _, one := range all {
		if !one.hasEnded() {
			one.stop(ctx, PodRestarted)
		}
	}
	for _, one := range all {
		select {
		case <-one.ended:
		case <-ctx.Done():
			return
		}
	}
}
