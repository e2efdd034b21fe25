package stats

import (
	"os"
	"strconv"
	"strings"
)

// ticksPerSecond is USER_HZ, which is 100 on every architecture that Linux and Go share (proc_pid_stat(5)).
const ticksPerSecond = 100

// use is what the container's processes use together, the helper among them.
type use struct {
	count       int
	cpuMS       int64
	memoryBytes int64
}

// process is one line of /proc.
type process struct {
	pid, parent int
	ticks       int64
}

// readProcesses sums over the container: everything that a PID 1 sees, else this process and what descends from it, whose orphans
// come to it because it is their subreaper.
//
// The CPU time of one that has ended was added to its parent's when that waited for it, so the sum over the living misses nothing
// but those still to be waited for.
func readProcesses() use {
	var total use
	page := int64(os.Getpagesize())
	for _, one := range ours(allProcesses()) {
		total.count++
		total.cpuMS += one.ticks * 1000 / ticksPerSecond
		total.memoryBytes += ownPages(one.pid) * page
	}
	return total
}

// membership says of each process whether it belongs to this container, as of now.
func membership() func(pid int) bool {
	members := map[int]struct{}{}
	for _, one := range ours(allProcesses()) {
		members[one.pid] = struct{}{}
	}
	return func(pid int) bool {
		_, member := members[pid]
		return member
	}
}

func ours(all []process) []process {
	self := os.Getpid()
	if self == 1 {
		return all
	}
	children := map[int][]process{}
	var found []process
	for _, one := range all {
		children[one.parent] = append(children[one.parent], one)
		if one.pid == self {
			found = append(found, one)
		}
	}
	for i := 0; i < len(found); i++ {
		found = append(found, children[found[i].pid]...)
	}
	return found
}

func allProcesses() []process {
	proc, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer proc.Close()
	names, _ := proc.Readdirnames(-1)
	all := make([]process, 0, len(names))
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		// One that has ended meanwhile is not counted.
		content, err := os.ReadFile("/proc/" + name + "/stat")
		if err != nil {
			continue
		}
		if one, ok := parseStat(pid, string(content)); ok {
			all = append(all, one)
		}
	}
	return all
}

// parseStat reads proc_pid_stat(5); fields count from the last parenthesis, because the name before it may hold anything.
func parseStat(pid int, content string) (one process, ok bool) {
	fields := strings.Fields(content[strings.LastIndexByte(content, ')')+1:])
	if len(fields) < 15 {
		return process{}, false
	}
	one.pid = pid
	one.parent, _ = strconv.Atoi(fields[1])
	// utime, stime, cutime and cstime are the fields 14 to 17, and the state is field 3.
	for _, field := range fields[11:15] {
		ticks, _ := strconv.ParseInt(field, 10, 64)
		one.ticks += ticks
	}
	return one, true
}

// ownPages is what is resident and not shared with others: programs and libraries would count once for each process.
func ownPages(pid int) int64 {
	resident, shared := statm(strconv.Itoa(pid))
	return max(resident-shared, 0)
}

func ownMemoryBytes() int64 {
	resident, _ := statm("self")
	return resident * int64(os.Getpagesize())
}

func statm(process string) (resident, shared int64) {
	content, err := os.ReadFile("/proc/" + process + "/statm")
	if err != nil {
		return 0, 0
	}
	fields := strings.Fields(string(content))
	if len(fields) < 3 {
		return 0, 0
	}
	resident, _ = strconv.ParseInt(fields[1], 10, 64)
	shared, _ = strconv.ParseInt(fields[2], 10, 64)
	return resident, shared
}
