package files

import (
	"io/fs"
	"strings"
	"time"
)

const (
	// maxFolders and maxFolderNames (bytes) bound what is kept of folders until the end of an archive.
	maxFolders     = 100_000
	maxFolderNames = 16 << 20
)

// unpackedFolder gets its mode and time last: earlier, its own files could not be written, and writing them would change its time.
type unpackedFolder struct {
	name  string
	mode  fs.FileMode
	mtime time.Time
}

// folderMemory keeps the folders of an archive in the order in which they first came.
type folderMemory struct {
	kept  []unpackedFolder
	at    map[string]int
	left  int // folders
	names int // bytes that their names may still take
}

func newFolderMemory() folderMemory {
	return folderMemory{at: map[string]int{}, left: maxFolders, names: maxFolderNames}
}

// keep notes a folder; of one that comes again, what came last. False where there is no room for it.
func (m *folderMemory) keep(one unpackedFolder) bool {
	if at, known := m.at[one.name]; known {
		one.name = m.kept[at].name
		m.kept[at] = one
		return true
	}
	if m.left == 0 || m.names < len(one.name) {
		return false
	}
	m.left--
	m.names -= len(one.name)
	// A name may be a part of a longer one, which would be kept with it.
	one.name = strings.Clone(one.name)
	m.at[one.name] = len(m.kept)
	m.kept = append(m.kept, one)
	return true
}
