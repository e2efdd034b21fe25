package files

import (
	"archive/tar"
	"errors"
	"io/fs"
	"net/http"
	"strings"
)

// insideName makes of an entry's name a path below the root, "." for the root itself; reason is why it cannot.
func insideName(name string) (inside, reason string) {
	switch {
	case name == "":
		return "", "it has no name"
	case strings.HasPrefix(name, "/"):
		return "", "its name is absolute"
	case len(name) > maxPathBytes:
		return "", "its name is too long"
	case strings.ContainsRune(name, 0):
		return "", "its name contains a NUL"
	}
	var parts []string
	for part := range strings.SplitSeq(name, "/") {
		switch {
		case part == "" || part == ".":
			continue
		case part == "..":
			return "", "its name leads out"
		case len(part) > maxNameBytes:
			return "", "its name is too long"
		}
		parts = append(parts, part)
	}
	if len(parts) == 0 {
		return ".", ""
	}
	return strings.Join(parts, "/"), ""
}

// symlinkReason is why a target may not be that of a link in the named folder, whose parts are no links themselves. ".." counts
// only at the beginning: behind a name it would mean what that name, perhaps a link, leads to.
func symlinkReason(folder, target string) string {
	if target == "" || strings.HasPrefix(target, "/") || len(target) > maxPathBytes || strings.ContainsRune(target, 0) {
		return "its target is not below the folder"
	}
	room := 0
	if folder != "" {
		room = strings.Count(folder, "/") + 1
	}
	named := false
	for part := range strings.SplitSeq(target, "/") {
		switch part {
		case "", ".":
		case "..":
			room--
			if named || room < 0 {
				return "its target leads out"
			}
		default:
			named = true
		}
	}
	return ""
}

func (u *unpacking) symlink(name string, header *tar.Header) error {
	folder := ""
	if slash := strings.LastIndexByte(name, '/'); slash >= 0 {
		folder = name[:slash]
	}
	if reason := symlinkReason(folder, header.Linkname); reason != "" {
		return unsafeEntry(header.Name, reason)
	}
	if strings.Contains(header.Linkname, "..") {
		if err := u.requireRealFolders(folder, header.Name); err != nil {
			return err
		}
	}
	if err := u.clear(name); err != nil {
		return err
	}
	return u.root.Symlink(header.Linkname, name)
}

// requireRealFolders refuses a way through links: the depth of the name would not be the depth of the file.
func (u *unpacking) requireRealFolders(folder, entry string) error {
	for end := 0; end < len(folder); {
		next := strings.IndexByte(folder[end+1:], '/')
		if next < 0 {
			end = len(folder)
		} else {
			end += 1 + next
		}
		info, err := u.root.Lstat(folder[:end])
		if err != nil {
			return err
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			return unsafeEntry(entry, "its target begins with .. behind another symbolic link")
		}
	}
	return nil
}

// hardLink links to a file that is there already. Only to a regular one: a second name for a symbolic link would lead elsewhere.
func (u *unpacking) hardLink(name string, header *tar.Header) error {
	target, reason := insideName(header.Linkname)
	if reason != "" {
		return unsafeEntry(header.Name, "of its target: "+reason)
	}
	info, err := u.root.Lstat(target)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
		return unsafeEntry(header.Name, "its target is not a file of the archive")
	}
	if err != nil || target == name {
		return err
	}
	if err := u.clear(name); err != nil {
		return err
	}
	return u.root.Link(target, name)
}

func unsafeEntry(name, reason string) error {
	return refuse(http.StatusBadRequest, "unsafe_archive", "entry %q: %s", name, reason)
}

// leadsOut recognises the refusal of os.Root, which has no error value of its own.
func leadsOut(err error) bool {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return err.Error() == "path escapes from parent"
}
