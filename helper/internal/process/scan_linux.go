package process

import (
	"bytes"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// member is a process found in /proc.
type member struct {
	pid, ppid, pgrp, session int
	start                    uint64 // in clock ticks; with the pid it names a process for good
}

// matcher finds what a start has led to. Not for concurrent use.
type matcher struct {
	tags  *tagger
	ours  func(tag uint64) bool
	roots map[int]struct{} // sessions and process groups that are ours
	// foreign remembers who carries no tag of ours: a tag never changes, so each stranger is read once.
	foreign map[int]uint64
	buffer  []byte
}

// environmentBytes is how much of an environment is searched: what commands are started with fits twice.
const environmentBytes = 256 << 10

// matcher finds this process and everything that it has led to.
func (p *Process) matcher() *matcher {
	m := newMatcher(p.table.tags, func(tag uint64) bool { return tag == p.tag })
	p.table.mu.Lock()
	defer p.table.mu.Unlock()
	// A reaped leader's id may be given anew, so the session is trusted afterwards only where tags do not work.
	if p.table.live[p.pid] == p || !p.table.tags.works {
		m.roots[p.pid] = struct{}{}
	}
	return m
}

// matcherOfAll finds everything that any start has led to.
func (t *Table) matcherOfAll() *matcher {
	m := newMatcher(t.tags, t.tags.isOwn)
	t.mu.Lock()
	defer t.mu.Unlock()
	for pid := range t.live {
		m.roots[pid] = struct{}{}
	}
	return m
}

func newMatcher(tags *tagger, ours func(uint64) bool) *matcher {
	return &matcher{tags: tags, ours: ours, roots: map[int]struct{}{}, foreign: map[int]uint64{}}
}

// scan lists what is alive (zombies are not). Never this process itself, nor one with a tag of another start of this helper.
func (m *matcher) scan() []member {
	found := map[int]member{}
	var unsure []member
	for _, candidate := range readMembers() {
		mine, other := m.byTag(candidate)
		switch {
		case mine:
			found[candidate.pid] = candidate
		case !other:
			unsure = append(unsure, candidate)
		}
	}
	// The parents' relation is closed over those without a tag: parents may come later in the list than their children.
	for grown := true; grown; {
		grown = false
		rest := unsure[:0]
		for _, candidate := range unsure {
			if _, ok := found[candidate.ppid]; ok {
				found[candidate.pid] = candidate
				grown = true
			} else {
				rest = append(rest, candidate)
			}
		}
		unsure = rest
	}
	members := make([]member, 0, len(found))
	for _, one := range found {
		members = append(members, one)
	}
	return members
}

// byTag decides by what the process itself shows: ours, another start's, or neither.
func (m *matcher) byTag(candidate member) (mine, other bool) {
	if m.foreign[candidate.pid] != candidate.start {
		tag, ok := tagOf(candidate.pid)
		if !ok || !m.tags.isOwn(tag) {
			if m.buffer == nil {
				m.buffer = make([]byte, environmentBytes)
			}
			tag, ok = environmentTagOf(candidate.pid, m.buffer)
		}
		if ok && m.tags.isOwn(tag) {
			return m.ours(tag), !m.ours(tag)
		}
		m.foreign[candidate.pid] = candidate.start
	}
	_, inSession := m.roots[candidate.session]
	_, inGroup := m.roots[candidate.pgrp]
	return inSession || inGroup, false
}

func readMembers() []member {
	proc, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer func() { _ = proc.Close() }()
	names, _ := proc.Readdirnames(-1)
	self := os.Getpid()
	var buffer [1024]byte
	members := make([]member, 0, len(names))
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil || pid == self {
			continue
		}
		if one, ok := parseStat(pid, readProc(pid, "stat", buffer[:])); ok {
			members = append(members, one)
		}
	}
	return members
}

// parseStat reads proc_pid_stat(5). The name in parentheses may itself hold parentheses and spaces, so fields count from the last ')'.
// Not ok for zombies and for kernel threads, which have neither group nor session.
func parseStat(pid int, content []byte) (member, bool) {
	end := bytes.LastIndexByte(content, ')')
	if end < 0 {
		return member{}, false
	}
	fields := bytes.Fields(content[end+1:])
	if len(fields) < 20 || fields[0][0] == 'Z' || fields[0][0] == 'X' {
		return member{}, false
	}
	number := func(index int) int {
		value, _ := strconv.Atoi(string(fields[index]))
		return value
	}
	one := member{pid: pid, ppid: number(1), pgrp: number(2), session: number(3), start: uint64(number(19))}
	return one, one.pgrp != 0 || one.ppid != 2
}

// readProc reads a file of /proc as far as the buffer goes; empty where the process is gone or not ours to read.
func readProc(pid int, name string, buffer []byte) []byte {
	fd, err := unix.Open("/proc/"+strconv.Itoa(pid)+"/"+name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer func() { _ = unix.Close(fd) }()
	length := 0
	for length < len(buffer) {
		n, err := unix.Read(fd, buffer[length:])
		if err == unix.EINTR {
			continue
		}
		if err != nil || n <= 0 {
			break
		}
		length += n
	}
	return buffer[:length]
}

func becomeSubreaper() {
	// Refused by no Linux since 3.4; where it is, orphans go to PID 1, which outside of tests is this process.
	_ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
}
