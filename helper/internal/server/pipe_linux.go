package server

import (
	"os"

	"golang.org/x/sys/unix"
)

// pipeBytes is how much standard output takes while its reader is busy with what came before.
const pipeBytes = 1 << 20

// growPipe makes room, where the output is a pipe and the kernel allows it; without it everything works, only slower.
func growPipe(file *os.File) {
	if conn, err := file.SyscallConn(); err == nil {
		_ = conn.Control(func(fd uintptr) { _, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, pipeBytes) })
	}
}
