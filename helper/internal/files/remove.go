package files

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"

	"golang.org/x/sys/unix"
)

func (f *Files) remove(w http.ResponseWriter, r *http.Request, parameters query) error {
	path, err := parameters.path("path")
	if err != nil {
		return err
	}
	recursive, err := parameters.flag("recursive")
	if err != nil {
		return err
	}
	if err := f.spareHelper(path); err != nil {
		return err
	}
	if _, err := parameters.namedPath("path"); err != nil {
		return err
	}
	if recursive {
		err = removeTree(r.Context(), path)
	} else {
		err = os.Remove(path)
	}
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// removeTree removes a file, or a folder with everything in it. A symbolic link is removed, never followed, even one that takes a
// folder's place meanwhile: each folder is opened with O_NOFOLLOW and emptied by that descriptor.
func removeTree(ctx context.Context, path string) error {
	return removeAt(ctx, unix.AT_FDCWD, path, path)
}

// removeAt removes name in the folder of the descriptor; path is for messages.
func removeAt(ctx context.Context, folder int, name, path string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := unix.Unlinkat(folder, name, 0)
	// A folder is EISDIR on Linux and EPERM elsewhere.
	if err == nil || !errors.Is(err, unix.EISDIR) && !errors.Is(err, unix.EPERM) {
		return pathError("remove", path, err)
	}
	descriptor, openErr := unix.Openat(folder, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if errors.Is(openErr, unix.ENOTDIR) || errors.Is(openErr, unix.ELOOP) {
		return pathError("remove", path, err)
	}
	if openErr != nil {
		return pathError("open", path, openErr)
	}
	opened := os.NewFile(uintptr(descriptor), path)
	err = empty(ctx, opened, path)
	opened.Close()
	if err != nil {
		return err
	}
	return pathError("remove", path, unix.Unlinkat(folder, name, unix.AT_REMOVEDIR))
}

// empty removes what is in an open folder. It begins again from the top until a pass finds nothing, because some file systems skip
// names while others are removed.
func empty(ctx context.Context, opened *os.File, path string) error {
	for {
		removed := 0
		for {
			names, err := opened.Readdirnames(namesAtATime)
			for _, name := range names {
				if err := removeAt(ctx, int(opened.Fd()), name, joinPath(path, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
					return err
				}
				removed++
			}
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return err
			}
		}
		if removed == 0 {
			return nil
		}
		if _, err := opened.Seek(0, io.SeekStart); err != nil {
			return err
		}
	}
}

func pathError(operation, path string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: operation, Path: path, Err: err}
}
