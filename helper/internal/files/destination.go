package files

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

// hiddenPath is where the bytes of an upload lie until they take the name of their destination.
func hiddenPath(destination, upload string) string {
	folder, base := splitPath(destination)
	sum := sha256.Sum256([]byte(upload + "\x00" + base))
	return joinPath(folder, uploadPrefix+hex.EncodeToString(sum[:sha256.Size/2]))
}

// isUploadName says whether a name is one that hiddenPath makes.
func isUploadName(name string) bool {
	if len(name) != uploadNameBytes || !strings.HasPrefix(name, uploadPrefix) {
		return false
	}
	_, err := hex.DecodeString(name[len(uploadPrefix):])
	return err == nil
}

// maxLinks is how many symbolic links in a row the kernel follows.
const maxLinks = 40

// resolveDestination follows the symbolic links of a path to the file that an editor would write, which need not exist; its folder
// must.
func resolveDestination(path string) (string, error) {
	for range maxLinks {
		info, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) {
			return path, requireFolder(path)
		}
		if err != nil || info.Mode()&fs.ModeSymlink == 0 {
			return path, err
		}
		target, err := os.Readlink(path)
		if err != nil {
			return "", err
		}
		if !strings.HasPrefix(target, "/") {
			folder, _ := splitPath(path)
			target = joinPath(folder, target)
		}
		path = strings.TrimRight(target, "/")
		if len(path) > maxPathBytes {
			return "", syscall.ENAMETOOLONG
		}
		if path == "" {
			return "/", nil
		}
	}
	return "", syscall.ELOOP
}

// requireFolder tells a missing folder from a missing file.
func requireFolder(path string) error {
	folder, _ := splitPath(path)
	info, err := os.Stat(folder)
	if err == nil && !info.IsDir() {
		err = syscall.ENOTDIR
	}
	return err
}
