package launch

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// Descriptors that the cluster leaves open for us.
const (
	report = 3 // lines: `started`, or `failed WORD`
	resize = 4 // with a terminal: its sizes, for `helper tty`
	stderr = 5 // the container's; ours is the report
)

// Run answers only where the command could not be started; else it has become the command.
func Run(environ []string) int {
	wanted, err := parseRequest(environ)
	if err != nil {
		return fail(err)
	}
	// Capabilities and no_new_privs belong to a thread, and the thread that calls execve is the one that goes on.
	runtime.LockOSThread()
	if wanted.root != "" {
		if err := turnInto(wanted.root); err != nil {
			return fail(fmt.Errorf("turn into the container's root: %w", err))
		}
	}
	if wanted.terminal != withinATerminal {
		if err := restrict(wanted); err != nil {
			return fail(fmt.Errorf("give up privileges: %w", err))
		}
	}
	if wanted.terminal == wantsTerminal {
		return fail(becomeTerminal(environ))
	}
	return become(wanted)
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, "helper launch:", err)
	return 125
}

// turnInto makes the folder the root and lets go of the old one, so that nothing outside it can be reached.
func turnInto(root string) error {
	// Mounts that come from a more privileged namespace are locked, and a locked one cannot become a root; a copy of our own can.
	if err := unix.Mount(root, root, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	if err := unix.Chdir(root); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return err
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return err
	}
	return unix.Chdir("/")
}

// restrict takes the user, and leaves no capability and no way to one.
func restrict(wanted request) error {
	if err := emptyBoundingSet(); err != nil {
		return err
	}
	if wanted.user != nil {
		if err := takeUser(*wanted.user); err != nil {
			return err
		}
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if err := unix.Capset(&header, &none[0]); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	if wanted.deathSignal {
		// A change of user clears it, so it comes last.
		if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
			return err
		}
	}
	if wanted.processLimit > 0 {
		limit := unix.Rlimit{Cur: wanted.processLimit, Max: wanted.processLimit}
		if err := unix.Setrlimit(unix.RLIMIT_NPROC, &limit); err != nil {
			return err
		}
	}
	return unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
}

// emptyBoundingSet needs a capability itself. A process that has entered a user namespace as anyone but its root has none left, and the
// set then means nothing, with no_new_privs.
func emptyBoundingSet() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var held [2]unix.CapUserData
	if err := unix.Capget(&header, &held[0]); err != nil {
		return err
	}
	if held[0].Effective == 0 && held[1].Effective == 0 {
		return nil
	}
	for capability := uintptr(0); ; capability++ {
		err := unix.Prctl(unix.PR_CAPBSET_DROP, capability, 0, 0, 0)
		if errors.Is(err, unix.EINVAL) {
			return nil // beyond the last one the kernel knows
		}
		if err != nil {
			return err
		}
	}
}

func takeUser(wanted user) error {
	if err := syscall.Setgroups(wanted.groups); err != nil {
		return err
	}
	if err := syscall.Setresgid(wanted.gid, wanted.gid, wanted.gid); err != nil {
		return err
	}
	return syscall.Setresuid(wanted.uid, wanted.uid, wanted.uid)
}

// becomeTerminal goes on as `helper tty`, which runs us again inside the terminal that it makes.
func becomeTerminal(environ []string) error {
	const self = "/proc/self/exe"
	own, err := os.Readlink(self)
	if err != nil {
		return err
	}
	inside := slices.DeleteFunc(slices.Clone(environ), func(entry string) bool { return entry == "BERTH_TERMINAL="+string(wantsTerminal) })
	inside = append(inside, "BERTH_TERMINAL="+string(withinATerminal), "BERTH_ROOT_FOLDER=")
	return syscall.Exec(self, []string{own, "tty", "--resize-fd", fmt.Sprint(resize), "--", own, "launch"}, inside)
}

func become(wanted request) int {
	tell := func(line string) { _, _ = fmt.Fprintln(os.NewFile(report, "report"), line) }
	if err := unix.Chdir(wanted.directory); err != nil {
		tell("failed " + problemDirectory)
		return 127
	}
	name := ""
	if len(wanted.argv) > 0 {
		name = wanted.argv[0]
	}
	program, problem := find(name, wanted.path)
	if problem != "" {
		tell("failed " + problem)
		return 127
	}
	tell("started")
	if wanted.terminal == noTerminal {
		if err := unix.Dup3(stderr, 2, 0); err != nil {
			return fail(err)
		}
	}
	for _, descriptor := range []int{report, resize, stderr} {
		unix.CloseOnExec(descriptor)
	}
	return fail(syscall.Exec(program, wanted.argv, wanted.env))
}
