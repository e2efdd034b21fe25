package files

import (
	"errors"

	"golang.org/x/sys/unix"
)

// renameNoReplace renames where nothing has the new name yet, in one step. errUnsupported: the kernel or the file system cannot.
func renameNoReplace(from, to string) error {
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.ENOTSUP) {
		return errUnsupported
	}
	return err
}
