package process

import (
	"context"
	"syscall"
	"time"
)

const (
	pollEvery = 20 * time.Millisecond
	// killBound is how long killing may take after the grace: a process in uninterruptible sleep cannot be waited for.
	killBound = 3 * time.Second
	// stopRounds bounds how often a tree that forks while it is being stopped is searched again before it is killed.
	stopRounds = 50
)

// End sends TERM to the process, its group and every descendant, KILL to what is left after the grace, and returns when none is left,
// at most grace + 3 s later. A context that ends cuts the grace short. Nil and ended processes are fine, and so is calling it twice.
func (p *Process) End(ctx context.Context, grace time.Duration) {
	if p == nil {
		return
	}
	reaped := func() bool {
		p.table.reapDead()
		select {
		case <-p.done:
			return true
		default:
			return false
		}
	}
	end(ctx, p.matcher(), grace, reaped, func() { p.ending.Store(true) })
}

// EndAll refuses further starts and ends everything that was ever started, as End does.
func (t *Table) EndAll(ctx context.Context, grace time.Duration) {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	reaped := func() bool {
		t.reapDead()
		t.mu.Lock()
		defer t.mu.Unlock()
		return len(t.live) == 0
	}
	end(ctx, t.matcherOfAll(), grace, reaped, func() {})
}

// Closed says whether EndAll was called.
func (t *Table) Closed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.closed
}

func end(ctx context.Context, m *matcher, grace time.Duration, reaped func() bool, killing func()) {
	limit := time.Now().Add(grace + killBound)
	if terminate(ctx, m, grace, reaped) {
		return
	}
	killing()
	for {
		members := stopAll(m, limit)
		if len(members) == 0 && reaped() {
			return
		}
		signalAll(members, syscall.SIGKILL)
		if !time.Now().Before(limit) {
			return
		}
		time.Sleep(pollEvery / 4)
	}
}

// terminate sends TERM to everything there is and to what appears meanwhile; true when nothing is left.
func terminate(ctx context.Context, m *matcher, grace time.Duration, reaped func() bool) bool {
	over := time.NewTimer(grace)
	defer over.Stop()
	told := toldSet{}
	for wait := pollEvery / 8; ; wait = min(2*wait, pollEvery) {
		members := m.scan()
		if len(members) == 0 && reaped() {
			return true
		}
		fresh := told.add(members)
		signalAll(fresh, syscall.SIGTERM)
		// What is stopped takes TERM only once it goes on.
		signalAll(fresh, syscall.SIGCONT)
		select {
		case <-time.After(wait):
		case <-over.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// toldSet is who got a signal, and in which group: one that left its group between being found and the group's signal got none.
type toldSet map[[2]int]struct{}

// add answers those that were not in the set.
func (t toldSet) add(members []member) (fresh []member) {
	for _, one := range members {
		key := [2]int{one.pid, one.pgrp}
		if _, known := t[key]; !known {
			t[key] = struct{}{}
			fresh = append(fresh, one)
		}
	}
	return fresh
}

// stopAll stops a tree until nothing new turns up: a tree that forks without end would outrun KILL one by one.
// At the limit it makes do with what it has found.
func stopAll(m *matcher, limit time.Time) []member {
	stopped := toldSet{}
	var members []member
	for range stopRounds {
		members = m.scan()
		fresh := stopped.add(members)
		if len(fresh) == 0 {
			break
		}
		signalAll(fresh, syscall.SIGSTOP)
		if !time.Now().Before(limit) {
			break
		}
	}
	return members
}

// signalAll signals whole groups, which the kernel does in one step that no fork escapes. A group lies within a session, and a session that
// was begun below one of ours holds nobody else. A group's id is trusted only right after a member was seen in it again: what was found may
// have ended since, and its number may be somebody else's.
func signalAll(members []member, sig syscall.Signal) {
	own := syscall.Getpgrp()
	groups := map[int]struct{}{}
	for _, one := range members {
		if one.pgrp <= 1 || one.pgrp == own {
			_ = one.signal(sig)
			continue
		}
		if _, done := groups[one.pgrp]; !done && one.isStill() {
			groups[one.pgrp] = struct{}{}
			// It may have ended since; that is what is wanted.
			_ = syscall.Kill(-one.pgrp, sig)
		}
	}
}
