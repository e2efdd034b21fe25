package files

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"berth.dev/helper/internal/problem"
)

const (
	// maxNameBytes is the kernel's NAME_MAX.
	maxNameBytes = 255
	// maxTail is how much is read behind the archive's end: tar fills its last record with zeros.
	maxTail = 16 << 20
)

// unpacking is the reading of one archive. Everything it touches goes through root, which the kernel keeps below its folder
// whatever symbolic links are on the way; the checks of names come first and say which entry is wrong.
type unpacking struct {
	files   *Files
	root    *os.Root
	folders folderMemory
	entries int64
	bytes   int64
}

func (f *Files) unpack(w http.ResponseWriter, r *http.Request, parameters query) error {
	path, err := parameters.path("path")
	if err != nil {
		return err
	}
	root, err := openRoot(path)
	if err != nil {
		return err
	}
	defer root.Close()
	archive := unpacking{files: f, root: root, folders: newFolderMemory()}
	if err := archive.all(r.Context(), r.Body); err != nil {
		return err
	}
	problem.JSON(w, http.StatusOK, struct {
		Entries int64 `json:"entries"`
		Bytes   int64 `json:"bytes"`
	}{archive.entries, archive.bytes})
	return nil
}

func (u *unpacking) all(ctx context.Context, body io.Reader) error {
	from := tar.NewReader(body)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		header, err := from.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = u.entry(ctx, header, from)
		}
		if err != nil {
			return describeArchiveError(err)
		}
		u.entries++
	}
	if _, err := io.CopyN(io.Discard, body, maxTail); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	// The innermost first: an outer folder's mode may close the way to an inner one.
	for _, folder := range slices.Backward(u.folders.kept) {
		if err := u.dress(folder.name, folder.mode, folder.mtime); err != nil {
			return describeArchiveError(err)
		}
	}
	return nil
}

func describeArchiveError(err error) error {
	if errors.Is(err, tar.ErrHeader) || errors.Is(err, tar.ErrFieldTooLong) || errors.Is(err, io.ErrUnexpectedEOF) {
		return badRequest("the body is not a whole tar archive: %v", err)
	}
	return err
}

// entry unpacks one entry, and names it where it cannot.
func (u *unpacking) entry(ctx context.Context, header *tar.Header, content io.Reader) error {
	if header.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	name, reason := insideName(header.Name)
	if reason != "" {
		return unsafeEntry(header.Name, reason)
	}
	if name == "." {
		return nil
	}
	err := u.parentOf(name)
	if err == nil {
		err = u.make(ctx, name, header, content)
	}
	if err != nil && leadsOut(err) {
		return unsafeEntry(header.Name, "it lies behind a symbolic link that leads out")
	}
	return err
}

func (u *unpacking) make(ctx context.Context, name string, header *tar.Header, content io.Reader) error {
	for key := range header.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return unsafeEntry(header.Name, "it is sparse: a few bytes would fill the disk")
		}
	}
	switch header.Typeflag {
	case tar.TypeDir:
		return u.folder(name, header)
	case tar.TypeReg:
		return u.regular(ctx, name, header, content)
	case tar.TypeSymlink:
		return u.symlink(name, header)
	case tar.TypeLink:
		return u.hardLink(name, header)
	}
	return unsafeEntry(header.Name, "it is neither a file, a folder nor a link")
}

func (u *unpacking) parentOf(name string) error {
	slash := strings.LastIndexByte(name, '/')
	if slash < 0 {
		return nil
	}
	return u.root.MkdirAll(name[:slash], 0o755)
}

func (u *unpacking) folder(name string, header *tar.Header) error {
	err := u.root.Mkdir(name, 0o700)
	if errors.Is(err, fs.ErrExist) {
		// A link to a folder inside is as good as the folder.
		info, lookErr := u.root.Stat(name)
		if lookErr != nil {
			return lookErr
		}
		if !info.IsDir() {
			return refuse(http.StatusConflict, "not_directory", "%s exists and is not a folder", name)
		}
		err = nil
	}
	if err != nil {
		return err
	}
	if !u.folders.keep(unpackedFolder{name, modeOf(header), header.ModTime}) {
		// At once, so with the owner's way in left open; its time is that of the last file in it.
		return u.root.Chmod(name, modeOf(header)|0o700)
	}
	return nil
}

// regular writes a file. One that replaces another takes its name when it is complete; a link is replaced, not written through.
func (u *unpacking) regular(ctx context.Context, name string, header *tar.Header, content io.Reader) error {
	writing := name
	file, err := u.root.OpenFile(writing, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		if err := u.requireReplaceable(name); err != nil {
			return err
		}
		folder, base := splitPath("/" + name)
		writing = strings.TrimPrefix(hiddenPath(joinPath(folder, base), "unpack"), "/")
		// One that an interrupted unpacking left behind.
		if err := u.root.Remove(writing); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		file, err = u.root.OpenFile(writing, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	}
	if err != nil {
		return err
	}
	buffer, done := u.files.buffer()
	defer done()
	written, err := copyBytes(ctx, file, content, header.Size, buffer)
	u.bytes += written
	if err == nil && written < header.Size {
		err = io.ErrUnexpectedEOF
	}
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = u.dress(writing, modeOf(header), header.ModTime)
	}
	if err == nil && writing != name {
		err = u.root.Rename(writing, name)
	}
	if err != nil {
		_ = u.root.Remove(writing)
	}
	return err
}

func (u *unpacking) requireReplaceable(name string) error {
	info, err := u.root.Lstat(name)
	if err == nil && info.IsDir() {
		return refuse(http.StatusConflict, "is_directory", "%s exists and is a folder", name)
	}
	return err
}

// clear makes room for a link, which nothing can create over something.
func (u *unpacking) clear(name string) error {
	err := u.requireReplaceable(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return u.root.Remove(name)
}

func (u *unpacking) dress(name string, mode fs.FileMode, mtime time.Time) error {
	if err := u.root.Chmod(name, mode); err != nil {
		return err
	}
	return u.root.Chtimes(name, mtime, mtime)
}

// modeOf leaves out setuid, setgid and sticky: an archive gives nobody another's rights.
func modeOf(header *tar.Header) fs.FileMode { return fs.FileMode(header.Mode) & fs.ModePerm }
