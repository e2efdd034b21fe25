package execution

import "golang.org/x/sys/unix"

// fionread asks how many bytes a pipe holds; it has this name in ioctl_tty(2).
const fionread = unix.TIOCINQ

// growPipe enlarges a pipe. Refused where the user's pipes hold too much already (pipe(7)); it works as it is, then.
func growPipe(fd uintptr) { _, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, pipeBytes) }
