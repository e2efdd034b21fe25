package files

import (
	"container/heap"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"syscall"

	"berth.dev/helper/internal/problem"
)

const (
	defaultPage = 200
	longestPage = 1000
	// namesAtATime bounds how much of a folder is in memory besides the page.
	namesAtATime = 1024
)

// page is one answer of a listing. Next is the cursor of the following page; it holds a name's bytes, so it is base64url.
type page struct {
	Entries []entry `json:"entries"`
	Next    *string `json:"next"`
}

func (f *Files) list(w http.ResponseWriter, r *http.Request, parameters query) error {
	path, err := parameters.path("path")
	if err != nil {
		return err
	}
	after, err := base64.RawURLEncoding.DecodeString(parameters.text("after"))
	if err != nil {
		return badRequest("after is not the next of an earlier page")
	}
	limit, err := parameters.number("limit", defaultPage)
	if err != nil {
		return err
	}
	if limit < 1 || limit > longestPage {
		return badRequest("limit is not between 1 and %d", longestPage)
	}
	names, more, err := smallestNames(r.Context(), path, string(after), int(limit))
	if err != nil {
		return err
	}
	answer := page{Entries: make([]entry, 0, len(names))}
	for _, name := range names {
		inside := joinPath(path, name)
		info, err := os.Lstat(inside)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		answer.Entries = append(answer.Entries, describe(name, inside, info))
	}
	if more {
		next := base64.RawURLEncoding.EncodeToString([]byte(names[len(names)-1]))
		answer.Next = &next
	}
	problem.JSON(w, http.StatusOK, answer)
	return nil
}

// smallestNames answers the first names after a given one in the order of their bytes, and whether there are more. It reads the
// whole folder but keeps no more of it than asked for.
func smallestNames(ctx context.Context, path, after string, limit int) (names []string, more bool, err error) {
	folder, err := openFolder(path)
	if err != nil {
		return nil, false, err
	}
	defer folder.Close()
	var kept largestFirst
	for {
		if err := ctx.Err(); err != nil {
			return nil, false, err
		}
		batch, err := folder.Readdirnames(namesAtATime)
		for _, name := range batch {
			if name <= after || isUploadName(name) {
				continue
			}
			if len(kept) < limit {
				heap.Push(&kept, name)
				continue
			}
			more = true
			if name < kept[0] {
				kept[0] = name
				heap.Fix(&kept, 0)
			}
		}
		if errors.Is(err, io.EOF) {
			slices.Sort(kept)
			return kept, more, nil
		}
		if err != nil {
			return nil, false, err
		}
	}
}

// openFolder opens a folder to read its names; anything else is ENOTDIR, and a fifo does not block.
func openFolder(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NONBLOCK, 0)
}

// largestFirst is a heap whose first element is the one to give up for a smaller name.
type largestFirst []string

func (h largestFirst) Len() int           { return len(h) }
func (h largestFirst) Less(i, j int) bool { return h[i] > h[j] }
func (h largestFirst) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *largestFirst) Push(name any)     { *h = append(*h, name.(string)) }
func (h *largestFirst) Pop() any {
	last := len(*h) - 1
	name := (*h)[last]
	*h = (*h)[:last]
	return name
}
