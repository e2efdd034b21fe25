package process

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"

	"berth.dev/helper/internal/regular"
)

// oomCounter reads how many processes of this container died for their memory.
type oomCounter struct {
	cgroup string // a file with a line "oom_kill N": memory.oom_control (cgroup v1) or memory.events (v2); "" where there is none
	file   string // a file with N alone
}

func newOOMCounter() *oomCounter {
	return &oomCounter{cgroup: findOOMFile("/proc/self/cgroup", "/sys/fs/cgroup")}
}

// read sums what there is: a source that is missing counts nothing, and only a rise is ever looked at.
func (c *oomCounter) read() (count uint64, ok bool) {
	if c.cgroup != "" {
		if content, err := os.ReadFile(c.cgroup); err == nil {
			n, found := oomKillLine(content)
			count, ok = count+n, ok || found
		}
	}
	if c.file != "" {
		if content, err := regular.Read(c.file); err == nil {
			if n, err := strconv.ParseUint(string(bytes.TrimSpace(content)), 10, 64); err == nil {
				count, ok = count+n, true
			}
		}
	}
	return count, ok
}

func oomKillLine(content []byte) (uint64, bool) {
	for line := range bytes.Lines(content) {
		if value, found := bytes.CutPrefix(line, []byte("oom_kill ")); found {
			n, err := strconv.ParseUint(string(bytes.TrimSpace(value)), 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}

// findOOMFile looks below the process's own cgroup and then at the mount's root, which is the container's own cgroup
// where /proc names the path as the node sees it.
func findOOMFile(self, mount string) string {
	content, err := os.ReadFile(self)
	if err != nil {
		return ""
	}
	for line := range bytes.Lines(content) {
		parts := bytes.SplitN(bytes.TrimSpace(line), []byte(":"), 3)
		if len(parts) != 3 {
			continue
		}
		root, name := "", ""
		switch {
		case string(parts[1]) == "memory":
			root, name = filepath.Join(mount, "memory"), "memory.oom_control"
		case len(parts[1]) == 0:
			root, name = mount, "memory.events"
		default:
			continue
		}
		for _, candidate := range []string{filepath.Join(root, string(parts[2]), name), filepath.Join(root, name)} {
			if content, err := os.ReadFile(candidate); err == nil {
				if _, ok := oomKillLine(content); ok {
					return candidate
				}
			}
		}
	}
	return ""
}
