package job

import "golang.org/x/sys/unix"

// fionread asks how many bytes a pipe holds; Linux calls it so in ioctl_tty(2).
const fionread = unix.TIOCINQ
