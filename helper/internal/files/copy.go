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
)

// inode names a file whatever its names are.
type inode struct{ device, number uint64 }

// inodeOf answers the file behind an entry, and whether it has more than one name.
func inodeOf(info fs.FileInfo) (id inode, several bool) {
	system, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return inode{}, false
	}
	return inode{uint64(system.Dev), system.Ino}, system.Nlink > 1
}

// maxHardLinks bounds what is remembered of files with several names; beyond it each name gets a file of its own.
const maxHardLinks = 100_000

// treeCopy is the copying of one tree.
type treeCopy struct {
	files *Files
	// to is where the tree goes.
	to string
	// copied is where the first name of a file with several names went.
	copied map[inode]string
}

// copyTree copies a file or a folder with everything in it, with modes, times, symbolic links and, within the tree, hard links. It
// refuses what it cannot copy (devices, sockets, fifos) and what changes meanwhile, so that the original may be removed afterwards.
func (f *Files) copyTree(ctx context.Context, from, to string) error {
	copying := treeCopy{f, to, map[inode]string{}}
	return copying.any(ctx, from, to)
}

func (c *treeCopy) any(ctx context.Context, from, to string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	info, err := os.Lstat(from)
	if err != nil {
		return err
	}
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return os.Symlink(target, to)
	case info.IsDir():
		return c.folder(ctx, from, to, info)
	case info.Mode().IsRegular():
		return c.regular(ctx, from, to, info)
	}
	return refuse(http.StatusConflict, "not_regular", "%s is neither a file, a folder nor a symbolic link", from)
}

func (c *treeCopy) folder(ctx context.Context, from, to string, info fs.FileInfo) error {
	if from == c.to {
		return badRequest("a folder cannot be moved into itself")
	}
	opened, err := openFolder(from)
	if err != nil {
		return err
	}
	defer opened.Close()
	if err := os.Mkdir(to, 0o700); err != nil {
		return err
	}
	for {
		names, err := opened.Readdirnames(namesAtATime)
		for _, name := range names {
			if err := c.any(ctx, joinPath(from, name), joinPath(to, name)); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return dress(to, info)
		}
		if err != nil {
			return err
		}
	}
}

func (c *treeCopy) regular(ctx context.Context, from, to string, info fs.FileInfo) error {
	id, several := inodeOf(info)
	if first, found := c.copied[id]; several && found {
		return os.Link(first, to)
	}
	source, before, err := openRegular(from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer target.Close()
	buffer, done := c.files.buffer()
	defer done()
	if _, err := copyBytes(ctx, target, source, math.MaxInt64, buffer); err != nil {
		return err
	}
	after, err := source.Stat()
	if err != nil {
		return err
	}
	if after.Size() != before.Size() || !after.ModTime().Equal(before.ModTime()) {
		return refuse(http.StatusConflict, "conflict", "%s changed while it was moved", from)
	}
	if err := target.Sync(); err != nil {
		return err
	}
	if several && len(c.copied) < maxHardLinks {
		c.copied[id] = to
	}
	return dress(to, before)
}

// dress gives a copy the mode and the time of its original.
func dress(path string, info fs.FileInfo) error {
	if err := unix.Fchmodat(unix.AT_FDCWD, path, permissionBits(info), 0); err != nil {
		return pathError("chmod", path, err)
	}
	return os.Chtimes(path, info.ModTime(), info.ModTime())
}
