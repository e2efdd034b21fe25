package files

import (
	"net/url"
	"strconv"
	"strings"
)

// maxPathBytes is the kernel's PATH_MAX without its closing NUL.
const maxPathBytes = 4095

// query is the parameters of a request. Values are bytes: names in a file system need not be UTF-8.
type query struct{ values url.Values }

func parseQuery(raw string) (query, error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return query{}, badRequest("the query cannot be read: %v", err)
	}
	return query{values}, nil
}

func (q query) text(name string) string { return q.values.Get(name) }

// path is an absolute path without a slash at its end.
func (q query) path(name string) (string, error) {
	path := q.values.Get(name)
	switch {
	case !strings.HasPrefix(path, "/"):
		return "", badRequest("%s is not an absolute path", name)
	case strings.ContainsRune(path, 0):
		return "", badRequest("%s contains a NUL", name)
	case len(path) > maxPathBytes:
		return "", badRequest("%s is longer than %d bytes", name, maxPathBytes)
	}
	trimmed := strings.TrimRight(path, "/")
	if trimmed == "" {
		return "/", nil
	}
	return trimmed, nil
}

// namedPath is a path whose last part is a name that can be created, moved or removed.
func (q query) namedPath(name string) (string, error) {
	path, err := q.path(name)
	if err != nil {
		return "", err
	}
	if _, base := splitPath(path); base == "" || base == "." || base == ".." {
		return "", badRequest("%s does not end in a name", name)
	}
	return path, nil
}

func (q query) flag(name string) (bool, error) {
	switch q.values.Get(name) {
	case "", "0":
		return false, nil
	case "1":
		return true, nil
	}
	return false, badRequest("%s is neither 0 nor 1", name)
}

// number is a parameter of 0 or more; fallback where it is not given.
func (q query) number(name string, fallback int64) (int64, error) {
	text := q.values.Get(name)
	if text == "" {
		return fallback, nil
	}
	value, err := strconv.ParseInt(text, 10, 64)
	if err != nil || value < 0 {
		return 0, badRequest("%s is not a number of 0 or more", name)
	}
	return value, nil
}

// mode is the permission bits in octal; absent where they are not given.
func (q query) mode() (bits uint32, given bool, err error) {
	text := q.values.Get("mode")
	if text == "" {
		return 0, false, nil
	}
	value, err := strconv.ParseUint(text, 8, 32)
	if err != nil || value > 0o7777 {
		return 0, false, badRequest("mode is not an octal number up to 7777")
	}
	return uint32(value), true, nil
}

// splitPath splits at the last slash, and only there: cleaning a path as text would change what it means where a part of it is a
// symbolic link.
func splitPath(path string) (folder, base string) {
	slash := strings.LastIndexByte(path, '/')
	folder, base = path[:slash], path[slash+1:]
	if folder == "" {
		folder = "/"
	}
	return folder, base
}

func joinPath(folder, base string) string {
	return strings.TrimRight(folder, "/") + "/" + base
}
