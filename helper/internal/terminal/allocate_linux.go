package terminal

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// allocate takes the disk for a part of the file now, so that a full disk is noticed when the ring grows and not in the middle of it.
func allocate(file *os.File, offset, size int64) error {
	connection, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = connection.Control(func(fd uintptr) {
		for {
			failed = unix.Fallocate(int(fd), 0, offset, size)
			if !errors.Is(failed, unix.EINTR) {
				return
			}
		}
	})
	// Some file systems cannot allocate ahead; there a full disk is noticed by the write.
	if errors.Is(failed, unix.EOPNOTSUPP) || errors.Is(failed, unix.ENOSYS) {
		return nil
	}
	return errors.Join(err, failed)
}
