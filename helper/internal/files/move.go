package files

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// errUnsupported says that the system has no rename that refuses to replace.
var errUnsupported = errors.New("renaming without replacing is not supported")

func (f *Files) mkdir(w http.ResponseWriter, _ *http.Request, parameters query) error {
	path, err := parameters.namedPath("path")
	if err != nil {
		return err
	}
	parents, err := parameters.flag("parents")
	if err != nil {
		return err
	}
	mode, given, err := parameters.mode()
	if err != nil {
		return err
	}
	create := os.Mkdir
	if parents {
		create = os.MkdirAll
	}
	_, err = os.Lstat(path)
	existed := err == nil
	if err := create(path, 0o755); err != nil {
		return err
	}
	// The mode that was asked for is meant as it is, whatever the umask; a folder that was there already keeps its own.
	if given && !existed {
		if err := unix.Fchmodat(unix.AT_FDCWD, path, mode, 0); err != nil {
			return &fs.PathError{Op: "chmod", Path: path, Err: err}
		}
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (f *Files) move(w http.ResponseWriter, r *http.Request, parameters query) error {
	from, err := parameters.namedPath("path")
	if err != nil {
		return err
	}
	to, err := parameters.namedPath("to")
	if err != nil {
		return err
	}
	overwrite, err := parameters.flag("overwrite")
	if err != nil {
		return err
	}
	if err := f.spareHelper(from); err != nil {
		return err
	}
	err = rename(from, to, overwrite)
	if errors.Is(err, syscall.EXDEV) {
		err = f.moveAcross(r.Context(), from, to, overwrite)
	}
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// rename moves within one file system, at once.
func rename(from, to string, overwrite bool) error {
	err := error(nil)
	if overwrite {
		err = unix.Rename(from, to)
	} else if err = renameNoReplace(from, to); errors.Is(err, errUnsupported) {
		// Between the look and the rename another program may take the name; nothing better exists here.
		if _, lookErr := os.Lstat(to); lookErr == nil {
			err = unix.EEXIST
		} else {
			err = unix.Rename(from, to)
		}
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

// moveAcross moves to another file system: a complete copy takes the new name at once, and only then the original goes. Where it
// fails or is cancelled before, the copy is removed and the original is as it was.
func (f *Files) moveAcross(ctx context.Context, from, to string, overwrite bool) error {
	if _, err := os.Lstat(to); err == nil && !overwrite {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: syscall.EEXIST}
	}
	hidden := hiddenPath(to, rand.Text())
	// The copy gets its original's old times before it gets its name: without the lock a sweep might take it for abandoned.
	unlock, err := f.uploads.lock(hidden)
	if err != nil {
		return err
	}
	defer unlock()
	err = f.copyTree(ctx, from, hidden)
	if err == nil {
		err = rename(hidden, to, overwrite)
	}
	if err != nil {
		// What is left of the copy goes even where the request has ended.
		_ = removeTree(context.WithoutCancel(ctx), hidden)
		return err
	}
	// From here on the move has happened: its end is not the client's to cancel.
	return removeTree(context.WithoutCancel(ctx), from)
}

// spareHelper refuses to take away the root, the helper's folder or a folder that contains it: the helper would lose its socket.
func (f *Files) spareHelper(path string) error {
	folder, base := splitPath(path)
	if base == "" {
		return refuse(http.StatusForbidden, "denied", "the root is not removed")
	}
	info, err := os.Lstat(joinPath(folder, base))
	if err != nil {
		return err
	}
	for protected := strings.TrimRight(f.helperDir, "/"); protected != ""; protected, _ = splitPath(protected) {
		if protected == "/" {
			return nil
		}
		if kept, err := os.Stat(protected); err == nil && os.SameFile(kept, info) {
			return refuse(http.StatusForbidden, "denied", "%s holds the helper", path)
		}
	}
	return nil
}
