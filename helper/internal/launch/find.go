package launch

import (
	"os"
	"strings"
)

// The words for what is wrong with a command; the cluster makes a container runtime's message of them.
const (
	problemMissing   = "missing"
	problemAbsent    = "absent"
	problemDenied    = "denied"
	problemDirectory = "directory"
)

// find resolves a command as a container runtime does: a name with a slash is a path, any other is looked for in PATH.
func find(name, path string) (program, problem string) {
	if strings.Contains(name, "/") {
		if _, err := os.Stat(name); err != nil {
			return "", problemAbsent
		}
		if !isProgram(name) {
			return "", problemDenied
		}
		return name, ""
	}
	if name == "" {
		return "", problemMissing
	}
	for folder := range strings.SplitSeq(path, ":") {
		if candidate := folder + "/" + name; isProgram(candidate) {
			return candidate, ""
		}
	}
	return "", problemMissing
}

func isProgram(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}
