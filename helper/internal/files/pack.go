package files

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strconv"
	"syscall"
)

// skippedTrailer is how many files of a tree are not in its archive because they cannot be read.
const skippedTrailer = "berth-skipped"

// packing is the writing of one archive.
type packing struct {
	files *Files
	root  *os.Root
	to    *tar.Writer
	// first is the archive's name of a file with several names; the others become links to it.
	first   map[inode]string
	skipped int
	// changed says that a file changed its size while it was read, so that the archive has not what the folder had at any time.
	changed bool
}

func (f *Files) pack(w http.ResponseWriter, r *http.Request, parameters query) error {
	path, err := parameters.path("path")
	if err != nil {
		return err
	}
	root, err := openRoot(path)
	if err != nil {
		return err
	}
	defer root.Close()
	// Read before the answer begins, so that a folder that may not be read is an error and not an empty archive.
	top, err := root.OpenFile(".", os.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer top.Close()
	header := w.Header()
	header.Set("content-type", "application/x-tar")
	header.Set("trailer", skippedTrailer)
	w.WriteHeader(http.StatusOK)
	archive := packing{files: f, root: root, to: tar.NewWriter(w), first: map[inode]string{}}
	err = archive.folder(r.Context(), top, "")
	if err == nil {
		err = archive.to.Close()
	}
	if err != nil || archive.changed {
		// An archive that merely ends is taken for complete.
		panic(http.ErrAbortHandler)
	}
	header.Set(skippedTrailer, strconv.Itoa(archive.skipped))
	return nil
}

// openRoot opens a folder that nothing below it leads out of. os.OpenRoot says of a file only in words that it is none.
func openRoot(path string) (*os.Root, error) {
	info, err := os.Stat(path)
	if err == nil && !info.IsDir() {
		err = pathError("open", path, syscall.ENOTDIR)
	}
	if err != nil {
		return nil, err
	}
	return os.OpenRoot(path)
}

// folder writes what is in an open folder; prefix is its name in the archive, with a slash, or "".
func (p *packing) folder(ctx context.Context, opened *os.File, prefix string) error {
	for {
		names, err := opened.Readdirnames(namesAtATime)
		for _, name := range names {
			if isUploadName(name) {
				continue
			}
			if err := p.any(ctx, prefix+name); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// any writes one file or folder. What is gone meanwhile was never there; what may not be read is counted and left out, as the
// lost+found of a fresh volume.
func (p *packing) any(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := p.one(ctx, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, fs.ErrPermission):
		p.skipped++
		return nil
	}
	return err
}

func (p *packing) one(ctx context.Context, name string) error {
	info, err := p.root.Lstat(name)
	if err != nil {
		return err
	}
	switch {
	case info.IsDir():
		opened, err := p.root.OpenFile(name, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
		if err != nil {
			return err
		}
		defer opened.Close()
		if err := p.header(tar.TypeDir, name+"/", "", info); err != nil {
			return err
		}
		return p.folder(ctx, opened, name+"/")
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := p.root.Readlink(name)
		if err != nil {
			return err
		}
		return p.header(tar.TypeSymlink, name, target, info)
	case info.Mode().IsRegular():
		return p.regular(ctx, name)
	}
	// A socket or a device means nothing in another place.
	return nil
}

func (p *packing) regular(ctx context.Context, name string) error {
	file, err := p.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return err
	}
	id, several := inodeOf(info)
	if first, found := p.first[id]; several && found {
		return p.header(tar.TypeLink, name, first, info)
	}
	if err := p.header(tar.TypeReg, name, "", info); err != nil {
		return err
	}
	if several && len(p.first) < maxHardLinks {
		p.first[id] = name
	}
	buffer, done := p.files.buffer()
	defer done()
	written, err := copyBytes(ctx, p.to, file, info.Size(), buffer)
	if err != nil {
		return err
	}
	now, err := file.Stat()
	if err != nil {
		return err
	}
	if now.Size() != info.Size() {
		p.changed = true
	}
	return p.pad(info.Size()-written, buffer)
}

// pad keeps the promise of a header whose file became shorter.
func (p *packing) pad(missing int64, buffer []byte) error {
	clear(buffer)
	for missing > 0 {
		p.changed = true
		written, err := p.to.Write(buffer[:min(missing, int64(len(buffer)))])
		if err != nil {
			return err
		}
		missing -= int64(written)
	}
	return nil
}

func (p *packing) header(kind byte, name, target string, info fs.FileInfo) error {
	header := tar.Header{
		Format: tar.FormatPAX, Typeflag: kind, Name: name, Linkname: target, Mode: int64(permissionBits(info)), ModTime: info.ModTime(),
	}
	if kind == tar.TypeReg {
		header.Size = info.Size()
	}
	if system, ok := info.Sys().(*syscall.Stat_t); ok {
		header.Uid, header.Gid = int(system.Uid), int(system.Gid)
	}
	return p.to.WriteHeader(&header)
}
