package process

import (
	"os"
	"strconv"
	"strings"
)

// tagVariable carries a process's tag where the kernel's limits do not.
const tagVariable = "BERTH_PROCESS"

// ownVariables are the helper's and never a command's.
var ownVariables = []string{tagVariable + "=", "BERTH_HELPER_PROTOCOL="}

// BaseEnv is the container's environment, which every command starts from. It has a PATH always.
func (t *Table) BaseEnv() []string {
	env := make([]string, 0, len(os.Environ())+1)
	hasPath := false
	for _, entry := range os.Environ() {
		if isOwn(entry) {
			continue
		}
		hasPath = hasPath || strings.HasPrefix(entry, "PATH=")
		env = append(env, entry)
	}
	if !hasPath {
		env = append(env, "PATH="+defaultPath)
	}
	return env
}

// MergeEnv puts a command's own variables over a base; the order of the base is kept.
func MergeEnv(base []string, own map[string]string) []string {
	env := make([]string, 0, len(base)+len(own))
	for _, entry := range base {
		name, _, _ := strings.Cut(entry, "=")
		if _, replaced := own[name]; !replaced {
			env = append(env, entry)
		}
	}
	for name, value := range own {
		env = append(env, name+"="+value)
	}
	return env
}

func isOwn(entry string) bool {
	for _, prefix := range ownVariables {
		if strings.HasPrefix(entry, prefix) {
			return true
		}
	}
	return false
}

func withTag(env []string, tag uint64) []string {
	tagged := make([]string, 0, len(env)+1)
	for _, entry := range env {
		if !strings.HasPrefix(entry, tagVariable+"=") {
			tagged = append(tagged, entry)
		}
	}
	return append(tagged, tagVariable+"="+strconv.FormatUint(tag, 10))
}
