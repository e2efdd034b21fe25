package tty

import (
	"slices"
	"testing"
)

func TestOptionsEndWhereTheProgramBegins(t *testing.T) {
	for _, test := range []struct {
		args   []string
		fd     int
		argv   []string
		failed bool
	}{
		{args: []string{"--", "sh", "-c", "x"}, fd: -1, argv: []string{"sh", "-c", "x"}},
		{args: []string{"--resize-fd", "4", "--", "--odd"}, fd: 4, argv: []string{"--odd"}},
		{args: []string{"--resize-fd=4", "sh", "--resize-fd"}, fd: 4, argv: []string{"sh", "--resize-fd"}},
		{args: []string{"--resize-fd", "1", "--", "sh"}, failed: true},
		{args: []string{"--unknown", "--", "sh"}, failed: true},
		{args: []string{"--"}, failed: true},
	} {
		got, err := parseOptions(test.args)
		if (err != nil) != test.failed {
			t.Errorf("%q: %v", test.args, err)
		} else if err == nil && (got.resizeFD != test.fd || !slices.Equal(got.argv, test.argv)) {
			t.Errorf("%q: %+v", test.args, got)
		}
	}
}

func TestSizeIsTwoNumbersWithinBounds(t *testing.T) {
	if cols, rows, ok := parseSize("120 40\n"); !ok || cols != 120 || rows != 40 {
		t.Errorf("120 40 is %d %d %t", cols, rows, ok)
	}
	for _, line := range []string{"", "80", "0 24", "80 0", "1001 24", "80 1001", "80 24 1", "a b", "-1 5", "80  24"} {
		if _, _, ok := parseSize(line); ok {
			t.Errorf("%q counts as a size", line)
		}
	}
}

func FuzzParseSize(f *testing.F) {
	f.Add("80 24")
	f.Fuzz(func(t *testing.T, line string) {
		if cols, rows, ok := parseSize(line); ok && (cols < 1 || cols > MaxSize || rows < 1 || rows > MaxSize) {
			t.Fatalf("%q is %d %d", line, cols, rows)
		}
	})
}
