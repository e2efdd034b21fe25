// Package stats says what the container uses and what the helper holds.
package stats

import (
	"net/http"
	"os"
	"runtime"
	"time"

	"berth.dev/helper/internal/problem"
)

// Options are the parts of the helper that are counted. A func that is nil counts 0.
type Options struct {
	Executions, Terminals, Jobs, Connections func() int
	// DiskBytes is what rings and spools hold.
	DiskBytes func() int64
	// LastActivity is when somebody last did something with the session; the zero time where nobody has.
	LastActivity func() time.Time
	// OOMKills is how many processes of the container died for their memory; not counted where nothing tells.
	OOMKills func() (count uint64, counted bool)
}

// Stats answers GET /stats. It is safe for concurrent use.
type Stats struct {
	options Options
	cgroup  cgroup
}

// New looks for the container's cgroup once: a process stays in its own.
func New(options Options) *Stats {
	self, err := os.ReadFile("/proc/self/cgroup")
	found := cgroup{}
	if err == nil {
		found = findCgroup(string(self), "/sys/fs/cgroup", membership())
	}
	return &Stats{options: options, cgroup: found}
}

// Routes registers the route of PROTOCOL.md, "Health".
func (s *Stats) Routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) {
		problem.JSON(w, http.StatusOK, s.read())
	})
}

// snapshot is the answer. What null says is that nothing here can know it.
type snapshot struct {
	// CPUMS is of the whole container since its start.
	CPUMS            int64      `json:"cpu_ms"`
	MemoryBytes      int64      `json:"memory_bytes"`
	MemoryLimitBytes *int64     `json:"memory_limit_bytes"`
	Processes        int        `json:"processes"`
	OOMKills         *uint64    `json:"oom_kills"`
	Helper           ownUse     `json:"helper"`
	Executions       int        `json:"executions"`
	Terminals        int        `json:"terminals"`
	Jobs             int        `json:"jobs"`
	Connections      int        `json:"connections"`
	LastActivityAt   *time.Time `json:"last_activity_at"`
	DiskBytes        int64      `json:"disk_bytes"`
}

type ownUse struct {
	MemoryBytes int64 `json:"memory_bytes"`
	Goroutines  int   `json:"goroutines"`
	Descriptors int   `json:"descriptors"`
}

func (s *Stats) read() snapshot {
	processes := readProcesses()
	now := snapshot{
		Processes:   processes.count,
		Helper:      ownUse{ownMemoryBytes(), runtime.NumGoroutine(), countDescriptors()},
		Executions:  count(s.options.Executions),
		Terminals:   count(s.options.Terminals),
		Jobs:        count(s.options.Jobs),
		Connections: count(s.options.Connections),
	}
	var known bool
	if now.CPUMS, known = s.cgroup.cpuMS(); !known {
		now.CPUMS = processes.cpuMS
	}
	if now.MemoryBytes, known = s.cgroup.memoryBytes(); !known {
		now.MemoryBytes = processes.memoryBytes
	}
	if limit, known := s.cgroup.memoryLimitBytes(); known {
		now.MemoryLimitBytes = &limit
	}
	if s.options.OOMKills != nil {
		if kills, counted := s.options.OOMKills(); counted {
			now.OOMKills = &kills
		}
	}
	if s.options.LastActivity != nil {
		if at := s.options.LastActivity().UTC(); !at.IsZero() {
			now.LastActivityAt = &at
		}
	}
	if s.options.DiskBytes != nil {
		now.DiskBytes = s.options.DiskBytes()
	}
	return now
}

func count(held func() int) int {
	if held == nil {
		return 0
	}
	return held()
}

// countDescriptors leaves out the one that the counting itself takes.
func countDescriptors() int {
	opened, err := os.Open("/dev/fd")
	if err != nil {
		return 0
	}
	defer opened.Close()
	names, _ := opened.Readdirnames(-1)
	return max(len(names)-1, 0)
}
