//go:build !linux

package process

import "syscall"

// Without /proc and without inherited marks a process is known by its process group only.

type member struct {
	pid, pgrp int
}

type tagger struct{ counter uint64 }

func newTagger() *tagger { return &tagger{} }

func (t *tagger) next() uint64 {
	t.counter++
	return t.counter
}

func (t *tagger) set(uint64) {}
func (t *tagger) reset()     {}

type matcher struct{ groups []int }

func (p *Process) matcher() *matcher { return &matcher{groups: []int{p.pid}} }

func (t *Table) matcherOfAll() *matcher {
	t.mu.Lock()
	defer t.mu.Unlock()
	m := &matcher{}
	for pid := range t.live {
		m.groups = append(m.groups, pid)
	}
	return m
}

func (m *matcher) scan() []member {
	var members []member
	for _, group := range m.groups {
		if syscall.Kill(-group, 0) == nil {
			members = append(members, member{pid: group, pgrp: group})
		}
	}
	return members
}

// isStill says whether the group is there. Its number is all that is known of it.
func (m member) isStill() bool { return syscall.Kill(-m.pgrp, 0) == nil }

func (m member) signal(sig syscall.Signal) error { return syscall.Kill(m.pid, sig) }

func becomeSubreaper() {}
