package files

import (
	"context"
	"crypto/sha256"
	"net/http"
	"os"
	"sync"
	"time"
)

const (
	// uploadPrefix begins the name of the hidden file that an upload grows in, beside its destination, so that it can be renamed.
	uploadPrefix = ".berth-upload-"
	// uploadNameBytes is the length of such a name: the prefix and half a SHA-256 in hexadecimal.
	uploadNameBytes = len(uploadPrefix) + sha256.Size
	// staleAfter is how long nobody has written to an upload that is taken for abandoned.
	staleAfter = 24 * time.Hour
	// sweepEvery spares a folder that gets many files from being read for each of them.
	sweepEvery = time.Hour
	// rememberedCommits bounds what is kept to answer a repeated commit; the oldest is forgotten first.
	rememberedCommits = 1024
	// rememberedFolders bounds what is kept of folders already swept.
	rememberedFolders = 1024
)

// uploads is what must be known between requests: who writes now, what was committed, which folders were swept. The bytes and the
// offset of an upload are in its hidden file alone, so uploads survive a restart of the helper.
type uploads struct {
	mutex     sync.Mutex
	writing   map[string]struct{}
	committed map[string]int64
	order     []string
	swept     map[string]time.Time
}

func newUploads() *uploads {
	return &uploads{writing: map[string]struct{}{}, committed: map[string]int64{}, swept: map[string]time.Time{}}
}

// lock admits one request at a time to a hidden file; the second is refused, not made to wait: it would hold a stream.
func (u *uploads) lock(hidden string) (unlock func(), err error) {
	u.mutex.Lock()
	defer u.mutex.Unlock()
	if _, taken := u.writing[hidden]; taken {
		return nil, refuse(http.StatusConflict, "conflict", "another part of this upload is being written")
	}
	u.writing[hidden] = struct{}{}
	return func() {
		u.mutex.Lock()
		defer u.mutex.Unlock()
		delete(u.writing, hidden)
	}, nil
}

// remember keeps the size of a committed upload, for a client whose answer was lost.
func (u *uploads) remember(hidden string, size int64) {
	u.mutex.Lock()
	defer u.mutex.Unlock()
	if _, known := u.committed[hidden]; !known {
		u.order = append(u.order, hidden)
	}
	u.committed[hidden] = size
	if len(u.order) > rememberedCommits {
		delete(u.committed, u.order[0])
		u.order = u.order[1:]
	}
}

func (u *uploads) committedSize(hidden string) (size int64, found bool) {
	u.mutex.Lock()
	defer u.mutex.Unlock()
	size, found = u.committed[hidden]
	return size, found
}

// dueForSweep says whether a folder is to be swept now, and takes note of it.
func (u *uploads) dueForSweep(folder string, now time.Time) bool {
	u.mutex.Lock()
	defer u.mutex.Unlock()
	if last, known := u.swept[folder]; known && now.Sub(last) < sweepEvery {
		return false
	}
	if len(u.swept) >= rememberedFolders {
		clear(u.swept)
	}
	u.swept[folder] = now
	return true
}

// sweep removes the abandoned uploads of a folder. Failing to is no reason to refuse a new one.
func (u *uploads) sweep(ctx context.Context, folder string, now time.Time) {
	if !u.dueForSweep(folder, now) {
		return
	}
	opened, err := openFolder(folder)
	if err != nil {
		return
	}
	defer opened.Close()
	for {
		names, err := opened.Readdirnames(namesAtATime)
		for _, name := range names {
			if isUploadName(name) {
				u.removeStale(ctx, joinPath(folder, name), now)
			}
		}
		if err != nil {
			return
		}
	}
}

func (u *uploads) removeStale(ctx context.Context, hidden string, now time.Time) {
	info, err := os.Lstat(hidden)
	if err != nil || now.Sub(info.ModTime()) < staleAfter {
		return
	}
	unlock, err := u.lock(hidden)
	if err != nil {
		return
	}
	defer unlock()
	// What a move to another file system left behind may be a folder.
	_ = removeTree(ctx, hidden)
}
