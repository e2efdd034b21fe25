package process

import "testing"

// FuzzParseStat: a program chooses its own name, and with it a part of what is parsed.
func FuzzParseStat(f *testing.F) {
	f.Add("sleep")
	f.Add(") Z 1 1 1")
	f.Add("a b) (c")
	f.Fuzz(func(t *testing.T, name string) {
		const rest = ") S 7 8 9 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 4711 0"
		got, ok := parseStat(5, []byte("5 ("+name+rest))
		if want := (member{pid: 5, ppid: 7, pgrp: 8, session: 9, start: 4711}); !ok || got != want {
			t.Fatalf("%q: %+v, %v", name, got, ok)
		}
		// Whatever else it is, it is not a crash.
		_, _ = parseStat(5, []byte(name))
	})
}
