// Package regular reads small files that lie in reach of the session's own programs: a pipe in the place of one must not hold the helper,
// nor an endless file fill its memory.
package regular

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// MaxBytes bounds what is read of one file.
const MaxBytes = 1 << 20

// ErrNotRegular says that something else lies where the file should be.
var ErrNotRegular = errors.New("not a regular file")

// ErrTooLarge says that the file has more than MaxBytes.
var ErrTooLarge = fmt.Errorf("larger than %d bytes", MaxBytes)

// Read reads a whole file and never waits for another process. ErrNotRegular, ErrTooLarge or the disk's error; a symbolic link is an
// error of the disk.
func Read(path string) ([]byte, error) { return read(path, unix.O_NOFOLLOW) }

// ReadFollowing is Read through symbolic links, as the files of a Secret's volume are.
func ReadFollowing(path string) ([]byte, error) { return read(path, 0) }

func read(path string, flags int) ([]byte, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|flags, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: %w", path, ErrNotRegular)
	}
	text, err := io.ReadAll(io.LimitReader(file, MaxBytes+1))
	if err == nil && len(text) > MaxBytes {
		err = fmt.Errorf("%s: %w", path, ErrTooLarge)
	}
	if err != nil {
		return nil, err
	}
	return text, nil
}
