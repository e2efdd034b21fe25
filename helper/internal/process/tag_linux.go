package process

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"strconv"

	"golang.org/x/sys/unix"
)

// counterBits is how much of a tag counts starts; the rest is this helper's own random number.
const counterBits = 24

// tagger marks everything that a start leads to. The soft RLIMIT_LOCKS means nothing to Linux since 2.4.25 (getrlimit(2)), is inherited over
// fork, exec, setsid and an emptied environment, is changed by no program in practice, and is shown by /proc/<pid>/limits.
type tagger struct {
	prefix  uint64
	counter uint64
	works   bool // false where the limit cannot be set or is not shown (gVisor): the environment variable is what is left
	own     unix.Rlimit
}

func newTagger() *tagger {
	var random [8]byte
	_, _ = rand.Read(random[:])
	t := &tagger{prefix: binary.BigEndian.Uint64(random[:]) >> (counterBits + 2)}
	if unix.Getrlimit(unix.RLIMIT_LOCKS, &t.own) != nil {
		return t
	}
	probe := t.next()
	t.works = true
	t.set(probe)
	seen, ok := tagOf(unix.Getpid())
	t.reset()
	t.works = ok && seen == probe
	return t
}

// next is a number that no other start has, here or in another helper.
func (t *tagger) next() uint64 {
	t.counter++
	return t.prefix<<counterBits | t.counter&(1<<counterBits-1)
}

// isOwn says whether a number was given out by this helper.
func (t *tagger) isOwn(tag uint64) bool { return tag>>counterBits == t.prefix }

// set marks the helper itself, for the moment of a fork.
func (t *tagger) set(tag uint64) {
	if t.works {
		_ = unix.Setrlimit(unix.RLIMIT_LOCKS, &unix.Rlimit{Cur: tag, Max: t.own.Max})
	}
}

func (t *tagger) reset() {
	if t.works {
		_ = unix.Setrlimit(unix.RLIMIT_LOCKS, &t.own)
	}
}

// tagOf reads a process's tag; not ok where it has none.
func tagOf(pid int) (uint64, bool) {
	var buffer [4096]byte
	content := readProc(pid, "limits", buffer[:])
	_, rest, found := bytes.Cut(content, []byte("Max file locks"))
	if !found {
		return 0, false
	}
	fields := bytes.Fields(rest)
	if len(fields) == 0 {
		return 0, false
	}
	tag, err := strconv.ParseUint(string(fields[0]), 10, 64)
	return tag, err == nil
}

// environmentTagOf reads the tag from a process's environment as far as the buffer goes; not ok where it has none or is not ours to read.
func environmentTagOf(pid int, buffer []byte) (uint64, bool) {
	content := readProc(pid, "environ", buffer)
	for entry := range bytes.SplitSeq(content, []byte{0}) {
		if value, found := bytes.CutPrefix(entry, []byte(tagVariable+"=")); found {
			tag, err := strconv.ParseUint(string(value), 10, 64)
			return tag, err == nil
		}
	}
	return 0, false
}
