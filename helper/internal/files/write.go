package files

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"math"
	"net/http"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"berth.dev/helper/internal/problem"
)

func (f *Files) write(w http.ResponseWriter, r *http.Request, parameters query) error {
	asked, err := readPart(parameters)
	if err != nil {
		return err
	}
	unlock, err := f.uploads.lock(asked.hidden)
	if err != nil {
		return err
	}
	defer unlock()
	if f.isRepeatedCommit(asked) {
		// The answer to the first was lost: the repeat gets it again. Its body is the same bytes, which nobody needs.
		problem.JSON(w, http.StatusOK, f.standing(asked.hidden))
		return nil
	}
	present, err := os.Stat(asked.destination)
	if err == nil {
		err = requireRegular(asked.destination, present)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := f.openPart(r.Context(), asked, present != nil)
	if err != nil {
		return err
	}
	defer file.Close()
	buffer, done := f.buffer()
	defer done()
	// What has arrived before an interruption stays, and the client resumes behind it.
	written, err := copyBytes(r.Context(), file, r.Body, math.MaxInt64, buffer)
	if err != nil {
		return err
	}
	if !asked.commit {
		problem.JSON(w, http.StatusOK, uploadAnswer{Offset: asked.offset + written})
		return nil
	}
	if err := f.commit(r.Context(), asked, file, present); err != nil {
		return err
	}
	f.uploads.remember(asked.hidden, asked.offset+written)
	problem.JSON(w, http.StatusOK, uploadAnswer{asked.offset + written, true})
	return nil
}

// openPart opens the hidden file where the part belongs: at its end. A first part creates it.
func (f *Files) openPart(ctx context.Context, asked part, replaces bool) (*os.File, error) {
	file, err := os.OpenFile(asked.hidden, os.O_RDWR|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		if asked.offset != 0 {
			return nil, wrongOffset(0)
		}
		folder, _ := splitPath(asked.destination)
		f.uploads.sweep(ctx, folder, f.now())
		// A file that replaces another may be more secret than the umask says; its mode follows with the commit.
		permissions := fs.FileMode(0o644)
		if replaces {
			permissions = 0o600
		}
		return os.OpenFile(asked.hidden, os.O_RDWR|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, permissions)
	}
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil {
		err = requireRegular(asked.hidden, info)
	}
	if err == nil && info.Size() != asked.offset {
		err = wrongOffset(info.Size())
	}
	if err == nil {
		_, err = file.Seek(asked.offset, io.SeekStart)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// commit checks the whole and gives it its name at once: who opens the destination sees the old file or the new one. present is
// what the destination was, or nil.
func (f *Files) commit(ctx context.Context, asked part, file *os.File, present fs.FileInfo) error {
	if asked.sum != "" {
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			return err
		}
		sum, _, err := f.sumOf(ctx, file)
		if err != nil {
			return err
		}
		if sum != asked.sum {
			// No further part can mend it.
			_ = os.Remove(asked.hidden)
			return badRequest("the upload has SHA-256 %s, not %s, and was dropped", sum, asked.sum)
		}
	}
	mode, change := asked.mode, asked.modeGiven
	if !change && present != nil {
		// As with every write, a program's setuid and setgid bits do not pass to new content.
		mode, change = permissionBits(present)&0o777, true
	}
	if change {
		if err := unix.Fchmod(int(file.Fd()), mode); err != nil {
			return &fs.PathError{Op: "chmod", Path: asked.destination, Err: err}
		}
	}
	if !asked.mtime.IsZero() {
		if err := os.Chtimes(asked.hidden, asked.mtime, asked.mtime); err != nil {
			return err
		}
	}
	if err := file.Sync(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := os.Rename(asked.hidden, asked.destination); err != nil {
		return err
	}
	syncFolderOf(asked.destination)
	return nil
}

// syncFolderOf makes a new name survive a crash of the node, where the file system can.
func syncFolderOf(path string) {
	folder, _ := splitPath(path)
	opened, err := openFolder(folder)
	if err != nil {
		return
	}
	defer opened.Close()
	_ = opened.Sync()
}

// isRepeatedCommit tells a commit that has happened from one that still has to.
func (f *Files) isRepeatedCommit(asked part) bool {
	if !asked.commit {
		return false
	}
	if _, err := os.Lstat(asked.hidden); err == nil {
		return false
	}
	size, found := f.uploads.committedSize(asked.hidden)
	return found && asked.offset <= size
}

// standing is where an upload stands by its hidden file, or by what is remembered of its commit.
func (f *Files) standing(hidden string) uploadAnswer {
	if info, err := os.Lstat(hidden); err == nil {
		return uploadAnswer{Offset: info.Size()}
	}
	size, committed := f.uploads.committedSize(hidden)
	return uploadAnswer{size, committed}
}

func (f *Files) uploadState(w http.ResponseWriter, _ *http.Request, parameters query) error {
	_, hidden, err := readUpload(parameters)
	if err != nil {
		return err
	}
	problem.JSON(w, http.StatusOK, f.standing(hidden))
	return nil
}

func (f *Files) dropUpload(w http.ResponseWriter, _ *http.Request, parameters query) error {
	_, hidden, err := readUpload(parameters)
	if err != nil {
		return err
	}
	unlock, err := f.uploads.lock(hidden)
	if err != nil {
		return err
	}
	defer unlock()
	if err := os.Remove(hidden); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
