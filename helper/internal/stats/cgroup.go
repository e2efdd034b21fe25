package stats

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// unlimited is where cgroup v1 begins to mean that there is no limit: it says 2^63 rounded down to a page.
const unlimited = 1 << 60

// cgroup is where the kernel accounts for this container: folders, each "" where there is none of the container's own.
//
// The files are those of the kernel's Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/{cpuacct,memory}.rst.
type cgroup struct {
	cpu, memory string
	unified     bool
}

// findCgroup reads /proc/self/cgroup. ours says whether a process belongs to this container: a cgroup with others in it, as one that
// pods of the embedded cluster share with everything else on the machine, says nothing about this container.
func findCgroup(self, mount string, ours func(pid int) bool) cgroup {
	paths := map[string]string{}
	for line := range strings.Lines(self) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) != 3 {
			continue
		}
		for controller := range strings.SplitSeq(fields[1], ",") {
			paths[controller] = fields[2]
		}
	}
	own := func(folders ...string) string {
		for _, folder := range folders {
			if holdsOnly(folder, ours) {
				return folder
			}
		}
		return ""
	}
	// /proc names the path as the node sees it, or as the container does; in the container the mount's top is its own cgroup.
	memory, hasMemory := paths["memory"]
	if hasMemory {
		cpu := paths["cpuacct"]
		return cgroup{
			cpu: own(filepath.Join(mount, "cpuacct", cpu), filepath.Join(mount, "cpu,cpuacct", cpu),
				filepath.Join(mount, "cpuacct"), filepath.Join(mount, "cpu,cpuacct")),
			memory: own(filepath.Join(mount, "memory", memory), filepath.Join(mount, "memory")),
		}
	}
	unified, found := paths[""]
	if !found {
		return cgroup{}
	}
	folder := own(filepath.Join(mount, unified), mount)
	return cgroup{folder, folder, true}
}

// holdsOnly says whether all processes of a cgroup are this container's. Those outside of the pid namespace are listed as 0.
func holdsOnly(folder string, ours func(pid int) bool) bool {
	content, err := os.ReadFile(filepath.Join(folder, "cgroup.procs"))
	if err != nil {
		return false
	}
	for field := range strings.FieldsSeq(string(content)) {
		if pid, err := strconv.Atoi(field); err != nil || pid == 0 || !ours(pid) {
			return false
		}
	}
	return len(content) > 0
}

func (c cgroup) cpuMS() (milliseconds int64, known bool) {
	if c.unified {
		microseconds, known := lineValue(c.cpu, "cpu.stat", "usage_usec")
		return microseconds / 1000, known
	}
	nanoseconds, known := number(c.cpu, "cpuacct.usage")
	return nanoseconds / 1_000_000, known
}

// memoryBytes leaves out the page cache that the kernel gives up first, as the kubelet does for its working set.
func (c cgroup) memoryBytes() (bytes int64, known bool) {
	currentFile, inactiveLine := "memory.usage_in_bytes", "total_inactive_file"
	if c.unified {
		currentFile, inactiveLine = "memory.current", "inactive_file"
	}
	current, known := number(c.memory, currentFile)
	if !known {
		return 0, false
	}
	inactive, _ := lineValue(c.memory, "memory.stat", inactiveLine)
	return max(current-inactive, 0), true
}

func (c cgroup) memoryLimitBytes() (bytes int64, known bool) {
	file := "memory.limit_in_bytes"
	if c.unified {
		// Of no limit it says "max", which is no number.
		file = "memory.max"
	}
	limit, known := number(c.memory, file)
	return limit, known && limit < unlimited
}

func number(folder, file string) (value int64, known bool) {
	if folder == "" {
		return 0, false
	}
	content, err := os.ReadFile(filepath.Join(folder, file))
	if err != nil {
		return 0, false
	}
	value, err = strconv.ParseInt(strings.TrimSpace(string(content)), 10, 64)
	return value, err == nil
}

// lineValue is the number behind a word at the beginning of a line.
func lineValue(folder, file, word string) (value int64, known bool) {
	if folder == "" {
		return 0, false
	}
	content, err := os.ReadFile(filepath.Join(folder, file))
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(content)) {
		if text, found := strings.CutPrefix(line, word+" "); found {
			value, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
			return value, err == nil
		}
	}
	return 0, false
}
