package files

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"math"
	"net/http"
	"os"
	"strconv"
	"syscall"

	"berth.dev/helper/internal/problem"
)

// openRegular opens a file to read it. It looks before it opens, because opening a fifo or a device already does something to it,
// and looks again at what it has opened.
func openRegular(path string) (*os.File, fs.FileInfo, error) {
	info, err := os.Stat(path)
	if err == nil {
		err = requireRegular(path, info)
	}
	if err != nil {
		return nil, nil, err
	}
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, err
	}
	if info, err = file.Stat(); err == nil {
		err = requireRegular(path, info)
	}
	if err != nil {
		file.Close()
		return nil, nil, err
	}
	return file, info, nil
}

func requireRegular(path string, info fs.FileInfo) error {
	if info.IsDir() {
		return refuse(http.StatusConflict, "is_directory", "%s is a directory", path)
	}
	if !info.Mode().IsRegular() {
		return refuse(http.StatusConflict, "not_regular", "%s is not a regular file", path)
	}
	return nil
}

func (f *Files) read(w http.ResponseWriter, r *http.Request, parameters query) error {
	path, err := parameters.path("path")
	if err != nil {
		return err
	}
	offset, err := parameters.number("offset", 0)
	if err != nil {
		return err
	}
	length, err := parameters.number("length", math.MaxInt64)
	if err != nil {
		return err
	}
	file, info, err := openRegular(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := file.Seek(offset, io.SeekStart); err != nil {
		return err
	}
	header := w.Header()
	header.Set("content-type", "application/octet-stream")
	header.Set("berth-size", strconv.FormatInt(info.Size(), 10))
	header.Set("berth-mtime-ms", strconv.FormatInt(info.ModTime().UnixMilli(), 10))
	header.Set("berth-mode", strconv.FormatUint(uint64(permissionBits(info)), 8))
	promised := min(length, max(info.Size()-offset, 0))
	// A file of the kernel's, as in /proc, says 0 and has content all the same.
	sized := info.Size() > 0
	if sized {
		header.Set("content-length", strconv.FormatInt(promised, 10))
	} else {
		promised = length
	}
	w.WriteHeader(http.StatusOK)
	buffer, done := f.buffer()
	defer done()
	sent, err := copyBytes(r.Context(), w, file, promised, buffer)
	if err != nil || sized && sent < promised {
		// The client takes a stream that ends for the whole, so this one is reset.
		panic(http.ErrAbortHandler)
	}
	return nil
}

func (f *Files) sha256(w http.ResponseWriter, r *http.Request, parameters query) error {
	path, err := parameters.path("path")
	if err != nil {
		return err
	}
	file, _, err := openRegular(path)
	if err != nil {
		return err
	}
	defer file.Close()
	sum, size, err := f.sumOf(r.Context(), file)
	if err != nil {
		return err
	}
	problem.JSON(w, http.StatusOK, struct {
		SHA256 string `json:"sha256"`
		Size   int64  `json:"size"`
	}{sum, size})
	return nil
}

// sumOf reads to the end and answers the SHA-256 in hexadecimal and the number of bytes.
func (f *Files) sumOf(ctx context.Context, from io.Reader) (sum string, size int64, err error) {
	buffer, done := f.buffer()
	defer done()
	hash := sha256.New()
	size, err = copyBytes(ctx, hash, from, math.MaxInt64, buffer)
	return hex.EncodeToString(hash.Sum(nil)), size, err
}

// copyBytes copies up to limit bytes, fewer where the source ends, and stops when the context ends.
func copyBytes(ctx context.Context, to io.Writer, from io.Reader, limit int64, buffer []byte) (copied int64, err error) {
	for copied < limit {
		if err := ctx.Err(); err != nil {
			return copied, err
		}
		read, readErr := from.Read(buffer[:min(int64(len(buffer)), limit-copied)])
		written, writeErr := to.Write(buffer[:read])
		copied += int64(written)
		if writeErr != nil {
			return copied, writeErr
		}
		if errors.Is(readErr, io.EOF) {
			return copied, nil
		}
		if readErr != nil {
			return copied, readErr
		}
	}
	return copied, nil
}
