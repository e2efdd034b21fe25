package process

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// defaultPath is searched where the environment has no PATH; the usual one of container images.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// lookUp finds the program as execvp(3) does: a name with a slash is a path, any other is searched in PATH, both seen from Dir.
func lookUp(spec Spec) (string, error) {
	if len(spec.Argv) == 0 || spec.Argv[0] == "" {
		return "", notStarted(127, "no program named")
	}
	if spec.Dir != "" {
		if info, err := os.Stat(spec.Dir); err != nil || !info.IsDir() {
			return "", notStarted(126, "the working directory %s does not exist or is none", spec.Dir)
		}
	}
	name := spec.Argv[0]
	if strings.Contains(name, "/") {
		return name, checkProgram(name, seenFrom(spec.Dir, name))
	}
	var refused error
	for _, dir := range filepath.SplitList(pathOf(spec.Env)) {
		if dir == "" {
			dir = "."
		}
		candidate := dir + "/" + name
		err := checkProgram(name, seenFrom(spec.Dir, candidate))
		if err == nil {
			return candidate, nil
		}
		var failure *StartError
		if errors.As(err, &failure) && failure.ExitCode == 126 && refused == nil {
			refused = err
		}
	}
	if refused != nil {
		return "", refused
	}
	return "", notStarted(127, "%s: command not found", name)
}

func seenFrom(dir, path string) string {
	if dir == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// checkProgram refuses early what the kernel would refuse without saying which part of the path is at fault.
func checkProgram(name, path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return notStarted(127, "%s: no such file", name)
	case err != nil:
		return notStarted(126, "%s: %v", name, err)
	case info.IsDir():
		return notStarted(126, "%s: is a directory", name)
	case info.Mode()&0o111 == 0:
		return notStarted(126, "%s: permission denied", name)
	}
	return nil
}

// startError explains why an existing program could not be run.
func startError(name, path string, err error) error {
	message := fmt.Sprintf("%s: %v", name, err)
	switch {
	case errors.Is(err, syscall.ENOENT):
		message = fmt.Sprintf("%s: its interpreter or loader does not exist", path)
	case errors.Is(err, syscall.ENOEXEC):
		message = fmt.Sprintf("%s: not a program of this machine (a script needs a #! line)", path)
	case errors.Is(err, syscall.E2BIG):
		message = fmt.Sprintf("%s: arguments and environment are too long", name)
	case errors.Is(err, syscall.EAGAIN):
		message = fmt.Sprintf("%s: too many processes", name)
	}
	return notStarted(126, "%s", message)
}

func pathOf(env []string) string {
	path := defaultPath
	for _, entry := range env {
		if value, ok := strings.CutPrefix(entry, "PATH="); ok {
			path = value
		}
	}
	return path
}
