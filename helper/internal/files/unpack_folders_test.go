package files

import (
	"archive/tar"
	"testing"
	"time"
)

func TestFoldersAreRememberedOnceAndWithinBothBounds(t *testing.T) {
	memory := newFolderMemory()
	memory.left, memory.names = 3, 5
	later := time.Unix(1, 0)
	for _, c := range []struct {
		one  unpackedFolder
		kept bool
	}{
		{unpackedFolder{name: "aa", mode: 0o500}, true},
		{unpackedFolder{name: "aa", mode: 0o700, mtime: later}, true},
		{unpackedFolder{name: "long"}, false},
		{unpackedFolder{name: "b"}, true},
		{unpackedFolder{name: "c"}, true},
		{unpackedFolder{name: "d"}, false},
		{unpackedFolder{name: "b"}, true},
	} {
		if kept := memory.keep(c.one); kept != c.kept {
			t.Errorf("%s: %v", c.one.name, kept)
		}
	}
	if len(memory.kept) != 3 || memory.kept[0] != (unpackedFolder{"aa", 0o700, later}) {
		t.Errorf("kept %v", memory.kept)
	}
}

func TestAFolderThatIsNotRememberedGetsItsModeAtOnceWithTheWayInLeftOpen(t *testing.T) {
	h := start(t, Options{})
	root, err := openRoot(h.dir)
	must(t, err)
	defer root.Close()
	archive := unpacking{root: root}
	must(t, archive.folder("one", &tar.Header{Name: "one", Mode: 0o055}))
	info, err := root.Stat("one")
	must(t, err)
	if info.Mode().Perm() != 0o755 {
		t.Errorf("its mode is %v", info.Mode())
	}
}
