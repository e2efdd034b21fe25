package files

import (
	"errors"

	"golang.org/x/sys/unix"
)

// renameNoReplace renames where nothing has the new name yet, in one step. errUnsupported: the file system cannot.
func renameNoReplace(from, to string) error {
	err := unix.RenamexNp(from, to, unix.RENAME_EXCL)
	if errors.Is(err, unix.ENOTSUP) {
		return errUnsupported
	}
	return err
}
