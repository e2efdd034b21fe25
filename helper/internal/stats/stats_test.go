package stats

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"testing"
	"time"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// plant writes files of a made-up /sys/fs/cgroup.
func plant(t *testing.T, files map[string]string) (mount string) {
	t.Helper()
	mount = t.TempDir()
	for name, content := range files {
		path := filepath.Join(mount, name)
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, []byte(content), 0o644))
	}
	return mount
}

func everyone(pid int) bool { return pid < 1000 }

func TestACgroupOfEitherVersionIsRead(t *testing.T) {
	const selfV1 = "5:cpuacct,cpu:/kubepods/pod\n4:memory:/kubepods/pod\n0::/\n"
	type reading struct{ CPU, Memory, Limit int64 }
	for name, c := range map[string]struct {
		self  string
		files map[string]string
		want  reading
	}{
		"version 2 at the top": {"0::/\n", map[string]string{
			"cgroup.procs": "1\n7\n", "cpu.stat": "usage_usec 1234567\nuser_usec 1\n", "memory.current": "1000\n",
			"memory.stat": "anon 5\ninactive_file 400\n", "memory.max": "5000\n",
		}, reading{1234, 600, 5000}},
		"version 2 below, without a limit": {"0::/a/b\n", map[string]string{
			"cgroup.procs": "1\n5000\n", "a/b/cgroup.procs": "7\n", "a/b/cpu.stat": "usage_usec 2000\n", "a/b/memory.current": "10\n",
			"a/b/memory.stat": "inactive_file 50\n", "a/b/memory.max": "max\n",
		}, reading{2, 0, -1}},
		"version 1, named as the node sees it": {selfV1, map[string]string{
			"cpuacct/cgroup.procs": "1\n", "cpuacct/cpuacct.usage": "5000000\n", "memory/cgroup.procs": "1\n",
			"memory/memory.usage_in_bytes": "900\n", "memory/memory.stat": "inactive_file 1\ntotal_inactive_file 300\n",
			"memory/memory.limit_in_bytes": "4096\n",
		}, reading{5, 600, 4096}},
		"version 1 without a limit": {selfV1, map[string]string{
			"cpu,cpuacct/kubepods/pod/cgroup.procs": "1\n", "cpu,cpuacct/kubepods/pod/cpuacct.usage": "1000000\n",
			"memory/kubepods/pod/cgroup.procs": "1\n", "memory/kubepods/pod/memory.usage_in_bytes": "900\n",
			"memory/kubepods/pod/memory.limit_in_bytes": "9223372036854771712\n",
		}, reading{1, 900, -1}},
		"one shared with others":              {"0::/\n", map[string]string{"cgroup.procs": "1\n5000\n", "memory.current": "1\n"}, reading{-1, -1, -1}},
		"one shared across pid namespaces":    {"0::/\n", map[string]string{"cgroup.procs": "0\n1\n", "memory.current": "1\n"}, reading{-1, -1, -1}},
		"none":                                {"", nil, reading{-1, -1, -1}},
		"a memory cgroup of our own, CPU not": {selfV1, map[string]string{"memory/cgroup.procs": "1\n", "memory/memory.usage_in_bytes": "7\n"}, reading{-1, 7, -1}},
		"files that say something else":       {"0::/\n", map[string]string{"cgroup.procs": "1\n", "memory.current": "?\n", "cpu.stat": "x\n"}, reading{-1, -1, -1}},
	} {
		t.Run(name, func(t *testing.T) {
			found := findCgroup(c.self, plant(t, c.files), everyone)
			orUnknown := func(value int64, known bool) int64 {
				if !known {
					return -1
				}
				return value
			}
			got := reading{orUnknown(found.cpuMS()), orUnknown(found.memoryBytes()), orUnknown(found.memoryLimitBytes())}
			if got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestTheAnswerHasWhatTheProtocolSays(t *testing.T) {
	two := func() int { return 2 }
	at := time.Date(2030, 1, 2, 3, 4, 5, 0, time.FixedZone("elsewhere", 3600))
	mux := http.NewServeMux()
	New(Options{
		Executions: two, Terminals: two, Jobs: two, Connections: two, DiskBytes: func() int64 { return 99 },
		LastActivity: func() time.Time { return at }, OOMKills: func() (uint64, bool) { return 3, true },
	}).Routes(mux)
	recorder := httptest.NewRecorder()
	mux.ServeHTTP(recorder, httptest.NewRequest("GET", "/stats", nil))
	var got map[string]any
	must(t, json.Unmarshal(recorder.Body.Bytes(), &got))
	helper := got["helper"].(map[string]any)
	if helper["memory_bytes"].(float64) < 1<<20 || helper["goroutines"].(float64) < 1 || helper["descriptors"].(float64) < 3 {
		t.Errorf("the helper uses %v", helper)
	}
	if got["processes"].(float64) < 1 || got["memory_bytes"].(float64) < 1 {
		t.Errorf("the container uses %v", got)
	}
	for _, measured := range []string{"helper", "processes", "memory_bytes", "cpu_ms", "memory_limit_bytes"} {
		if _, present := got[measured]; !present {
			t.Errorf("%s is missing", measured)
		}
		delete(got, measured)
	}
	want := map[string]any{"executions": 2.0, "terminals": 2.0, "jobs": 2.0, "connections": 2.0, "disk_bytes": 99.0, "oom_kills": 3.0,
		"last_activity_at": "2030-01-02T02:04:05Z"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
}

func TestWhatNobodyKnowsIsNull(t *testing.T) {
	got := New(Options{OOMKills: func() (uint64, bool) { return 0, false }, LastActivity: func() time.Time { return time.Time{} }}).read()
	if got.OOMKills != nil || got.LastActivityAt != nil || got.Executions != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestAChildIsCountedWhileItLives(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has /proc")
	}
	before := readProcesses()
	child := exec.Command("sleep", "60")
	must(t, child.Start())
	during := readProcesses()
	must(t, child.Process.Kill())
	_ = child.Wait()
	after := readProcesses()
	if during.count != before.count+1 || after.count != before.count {
		t.Errorf("%d processes, then %d, then %d", before.count, during.count, after.count)
	}
}

func TestTheTimeOfAChildThatHasEndedIsKept(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has /proc")
	}
	before := readProcesses()
	must(t, exec.Command("sh", "-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done").Run())
	if spent := readProcesses().cpuMS - before.cpuMS; spent < 20 {
		t.Errorf("the child has spent %d ms", spent)
	}
}

func TestNoDescriptorStaysOpen(t *testing.T) {
	stats := New(Options{})
	before := stats.read().Helper.Descriptors
	for range 20 {
		stats.read()
	}
	if after := stats.read().Helper.Descriptors; after != before {
		t.Errorf("%d descriptors, before %d", after, before)
	}
}
