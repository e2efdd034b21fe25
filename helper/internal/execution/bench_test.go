package execution

import (
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// BenchmarkTrue is the time of the shortest command over the socket, its start to its end; it fails where anything is left behind.
// 10,000 in a row: go test -run='^$' -bench=True -benchtime=10000x ./internal/execution
func BenchmarkTrue(b *testing.B) {
	h := newHelper(b)
	c := h.dial(b)
	spec := command{"argv": []string{"true"}}
	c.execute(h.id(), spec, nil).collect()
	goroutines, descriptors := runtime.NumGoroutine(), countDescriptors(b)
	took := make([]time.Duration, 0, b.N)
	for b.Loop() {
		began := time.Now()
		s := c.execute(h.id(), spec, nil)
		if got := s.collect(); got.end.ExitCode != 0 {
			b.Fatalf("%+v", got.end)
		}
		took = append(took, time.Since(began))
		s.cancel()
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*95/100].Microseconds()), "p95-µs")
	eventually(b, "goroutines and descriptors are as before", func() bool {
		return runtime.NumGoroutine() <= goroutines && countDescriptors(b) <= descriptors
	})
	if left := children(b); left != 0 {
		b.Errorf("%d processes are left", left)
	}
}

// BenchmarkBulk is the rate at which a client that reads fast gets a command's output over the socket.
func BenchmarkBulk(b *testing.B) {
	h := newHelper(b)
	c := h.dial(b)
	const size = 1 << 30
	b.SetBytes(size)
	for b.Loop() {
		s := c.execute(h.id(), command{"argv": []string{"head", "-c", "1073741824", "/dev/zero"}}, nil)
		if n, err := io.Copy(io.Discard, s.body); err != nil || n < size {
			b.Fatalf("%d bytes, %v", n, err)
		}
	}
}

func countDescriptors(b testing.TB) int {
	b.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		b.Fatal(err)
	}
	return len(entries)
}

// children counts the processes whose parent is this one: as a subreaper it inherits whatever is left behind.
func children(b *testing.B) int {
	b.Helper()
	lists, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil || len(lists) == 0 {
		b.Fatalf("no list of children: %v", err)
	}
	count := 0
	for _, list := range lists {
		// A thread that has ended meanwhile has no children any more.
		content, _ := os.ReadFile(list)
		count += len(strings.Fields(string(content)))
	}
	return count
}
