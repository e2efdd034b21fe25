package files

import (
	"encoding/base64"
	"io/fs"
	"net/http"
	"os"
	"syscall"
	"unicode/utf8"

	"berth.dev/helper/internal/problem"
)

// entry is what an answer says of one file.
type entry struct {
	Name string `json:"name"`
	// NameBase64 is the name's bytes where they are not UTF-8; Name then has replacement characters.
	NameBase64 string `json:"name_base64,omitempty"`
	Type       string `json:"type"`
	Size       int64  `json:"size"`
	// Mode is the permission bits with setuid, setgid and sticky, as chmod takes them.
	Mode    uint32 `json:"mode"`
	MtimeMS int64  `json:"mtime_ms"`
	UID     uint32 `json:"uid"`
	GID     uint32 `json:"gid"`
	// Target is where a symbolic link leads.
	Target       *string `json:"target"`
	TargetBase64 string  `json:"target_base64,omitempty"`
}

func (f *Files) stat(w http.ResponseWriter, _ *http.Request, parameters query) error {
	path, err := parameters.path("path")
	if err != nil {
		return err
	}
	follow, err := parameters.flag("follow")
	if err != nil {
		return err
	}
	look := os.Lstat
	if follow {
		look = os.Stat
	}
	info, err := look(path)
	if err != nil {
		return err
	}
	_, base := splitPath(path)
	if base == "" {
		base = "/"
	}
	problem.JSON(w, http.StatusOK, describe(base, path, info))
	return nil
}

// describe makes the entry of a file that was looked at.
func describe(name, path string, info fs.FileInfo) entry {
	described := entry{Type: typeOf(info.Mode()), Size: info.Size(), Mode: permissionBits(info), MtimeMS: info.ModTime().UnixMilli()}
	described.Name, described.NameBase64 = name, base64OfOtherBytes(name)
	if system, ok := info.Sys().(*syscall.Stat_t); ok {
		described.UID, described.GID = system.Uid, system.Gid
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		// A link that was removed since has no target any more.
		if target, err := os.Readlink(path); err == nil {
			described.Target, described.TargetBase64 = &target, base64OfOtherBytes(target)
		}
	}
	return described
}

// base64OfOtherBytes is "" for text that JSON can hold.
func base64OfOtherBytes(text string) string {
	if utf8.ValidString(text) {
		return ""
	}
	return base64.StdEncoding.EncodeToString([]byte(text))
}

func typeOf(mode fs.FileMode) string {
	switch {
	case mode.IsRegular():
		return "file"
	case mode.IsDir():
		return "directory"
	case mode&fs.ModeSymlink != 0:
		return "symlink"
	}
	return "other"
}

// permissionBits are the lower twelve bits as the kernel keeps them; fs.FileMode has three of them elsewhere.
func permissionBits(info fs.FileInfo) uint32 {
	mode := info.Mode()
	bits := uint32(mode.Perm())
	if mode&fs.ModeSetuid != 0 {
		bits |= syscall.S_ISUID
	}
	if mode&fs.ModeSetgid != 0 {
		bits |= syscall.S_ISGID
	}
	if mode&fs.ModeSticky != 0 {
		bits |= syscall.S_ISVTX
	}
	return bits
}
