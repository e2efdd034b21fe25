package files

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func (h *harness) post(route string, pairs ...string) answer {
	h.t.Helper()
	return h.do("POST", address(route, pairs...), nil)
}

func (h *harness) del(pairs ...string) answer {
	h.t.Helper()
	return h.do("DELETE", address("/files", pairs...), nil)
}

func TestMkdirMakesAFolderAndItsParentsOnRequest(t *testing.T) {
	h := start(t, Options{})
	h.post("/files/mkdir", "path", h.at("a/b")).expectProblem(t, 404, "not_found")
	h.post("/files/mkdir", "path", h.at("a/b/"), "parents", "1", "mode", "0777").expect(t, 204, nil)
	info, err := os.Stat(h.at("a/b"))
	must(t, err)
	if info.Mode().Perm() != 0o777 {
		t.Errorf("the mode is %v", info.Mode())
	}
	h.post("/files/mkdir", "path", h.at("a/b")).expectProblem(t, 409, "exists")
	h.post("/files/mkdir", "path", h.at("a/b"), "parents", "1", "mode", "0700").expect(t, 204, nil)
	if info, err := os.Stat(h.at("a/b")); err != nil || info.Mode().Perm() != 0o777 {
		t.Errorf("a folder that was there became %v, %v", info.Mode(), err)
	}
	h.post("/files/mkdir", "path", h.at("c"), "mode", "99").expectProblem(t, 400, "bad_request")
}

func TestMoveReplacesOnlyOnRequest(t *testing.T) {
	h := start(t, Options{})
	a, b := h.file("a", "A"), h.file("b", "B")
	h.post("/files/move", "path", a, "to", b).expectProblem(t, 409, "exists")
	if contentOf(t, b) != "B" {
		t.Error("it was replaced")
	}
	h.post("/files/move", "path", a, "to", b, "overwrite", "1").expect(t, 204, nil)
	if contentOf(t, b) != "A" {
		t.Error("it was not replaced")
	}
	h.post("/files/move", "path", a, "to", h.at("c")).expectProblem(t, 404, "not_found")
	h.file("full/x", "")
	must(t, os.Mkdir(h.at("dir"), 0o755))
	h.post("/files/move", "path", h.at("dir"), "to", h.at("full"), "overwrite", "1").expectProblem(t, 409, "not_empty")
	h.post("/files/move", "path", b, "to", h.at("dir"), "overwrite", "1").expectProblem(t, 409, "is_directory")
	h.post("/files/move", "path", h.at("full"), "to", h.at("full/in/itself")).expectProblem(t, 404, "not_found")
	h.post("/files/move", "path", h.at("full"), "to", h.at("full/in")).expectProblem(t, 400, "bad_request")
	h.post("/files/move", "path", h.at("full"), "to", h.at("dir/moved")).expect(t, 204, nil)
	if contentOf(t, h.at("dir/moved/x")) != "" {
		t.Error("the folder was not moved")
	}
}

// otherFileSystem is a folder on another file system than the test's own.
func otherFileSystem(t *testing.T, dir string) string {
	t.Helper()
	other, err := os.MkdirTemp("/dev/shm", "files")
	if err != nil {
		t.Skip("there is no second file system to write to")
	}
	t.Cleanup(func() { os.RemoveAll(other) })
	var here, there syscall.Stat_t
	must(t, syscall.Stat(dir, &here))
	must(t, syscall.Stat(other, &there))
	if here.Dev == there.Dev {
		t.Skip("there is no second file system to write to")
	}
	return other
}

// plantTree makes a folder with everything that a copy has to keep.
func (h *harness) plantTree(name string) string {
	h.t.Helper()
	file := h.file(name+"/sub/file", strings.Repeat("content", 100_000))
	must(h.t, os.Chmod(file, 0o710))
	must(h.t, os.Link(file, h.at(name+"/hard")))
	must(h.t, os.Symlink("sub/file", h.at(name+"/soft")))
	must(h.t, os.Symlink("/nowhere/at/all", h.at(name+"/dangling")))
	must(h.t, os.Mkdir(h.at(name+"/empty"), 0o755))
	must(h.t, os.WriteFile(h.at(name+"/\xff\n"), []byte("odd"), 0o644))
	old := time.UnixMilli(1_500_000_000_123)
	must(h.t, os.Chtimes(file, old, old))
	must(h.t, os.Chmod(h.at(name+"/sub"), 0o555))
	must(h.t, os.Chtimes(h.at(name+"/sub"), old, old))
	h.t.Cleanup(func() { os.Chmod(h.at(name+"/sub"), 0o755) })
	return h.at(name)
}

// expectTree checks what plantTree has made, elsewhere; links says whether the absolute link is among it.
func expectTree(t *testing.T, root string, links bool) {
	t.Helper()
	for _, name := range []string{"sub/file", "hard", "soft"} {
		if got := contentOf(t, filepath.Join(root, name)); got != strings.Repeat("content", 100_000) {
			t.Errorf("%s has %d bytes", name, len(got))
		}
	}
	file, err := os.Stat(filepath.Join(root, "sub/file"))
	must(t, err)
	hard, err := os.Stat(filepath.Join(root, "hard"))
	must(t, err)
	folder, err := os.Stat(filepath.Join(root, "sub"))
	must(t, err)
	if file.Mode().Perm() != 0o710 || file.ModTime().UnixMilli() != 1_500_000_000_123 || !os.SameFile(file, hard) {
		t.Errorf("the file is %v of %v, one with the other: %v", file.Mode(), file.ModTime(), os.SameFile(file, hard))
	}
	if folder.Mode().Perm() != 0o555 || folder.ModTime().UnixMilli() != 1_500_000_000_123 {
		t.Errorf("the folder is %v of %v", folder.Mode(), folder.ModTime())
	}
	if soft, err := os.Readlink(filepath.Join(root, "soft")); err != nil || soft != "sub/file" {
		t.Errorf("the link is %q, %v", soft, err)
	}
	if dangling, err := os.Readlink(filepath.Join(root, "dangling")); links && (err != nil || dangling != "/nowhere/at/all") {
		t.Errorf("the other link is %q, %v", dangling, err)
	}
	if contentOf(t, filepath.Join(root, "\xff\n")) != "odd" {
		t.Error("the odd name is lost")
	}
}

func TestMoveToAnotherFileSystemTakesEverythingAlong(t *testing.T) {
	h := start(t, Options{})
	other := otherFileSystem(t, h.dir)
	tree := h.plantTree("tree")
	// Root may remove what is in a folder of mode 0555; nobody else may, and there the move says so after it has copied.
	if os.Getuid() != 0 {
		t.Skip("the planted folder cannot be emptied")
	}
	h.post("/files/move", "path", tree, "to", other+"/tree").expect(t, 204, nil)
	expectTree(t, other+"/tree", true)
	if _, err := os.Lstat(tree); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the original is still there: %v", err)
	}
	file := h.file("a", "A")
	h.post("/files/move", "path", file, "to", other+"/a").expect(t, 204, nil)
	file = h.file("a", "A2")
	h.post("/files/move", "path", file, "to", other+"/a").expectProblem(t, 409, "exists")
	h.post("/files/move", "path", file, "to", other+"/a", "overwrite", "1").expect(t, 204, nil)
	if contentOf(t, other+"/a") != "A2" {
		t.Error("it was not replaced")
	}
}

func TestAMoveThatFailsHalfwayLeavesTheOriginalAndNoCopy(t *testing.T) {
	h := start(t, Options{})
	other := otherFileSystem(t, h.dir)
	h.file("tree/a", "A")
	must(t, syscall.Mkfifo(h.at("tree/fifo"), 0o600))
	h.post("/files/move", "path", h.at("tree"), "to", other+"/tree").expectProblem(t, 409, "not_regular")
	left, err := os.ReadDir(other)
	must(t, err)
	if len(left) != 0 || contentOf(t, h.at("tree/a")) != "A" {
		t.Errorf("left %v", left)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.files.moveAcross(cancelled, h.at("tree/a"), other+"/a", false); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled move ended with %v", err)
	}
	if left, err := os.ReadDir(other); err != nil || len(left) != 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

func TestRemoveFollowsNoLink(t *testing.T) {
	h := start(t, Options{})
	kept := h.file("kept/file", "kept")
	for _, name := range []string{"a", "b/c", "b/d/e"} {
		h.file("tree/"+name, "")
	}
	must(t, os.Symlink(h.at("kept"), h.at("tree/b/link")))
	must(t, os.Symlink(h.at("kept"), h.at("link")))
	h.del("path", h.at("tree")).expectProblem(t, 409, "not_empty")
	h.del("path", h.at("tree"), "recursive", "1").expect(t, 204, nil)
	h.del("path", h.at("link"), "recursive", "1").expect(t, 204, nil)
	h.del("path", h.at("tree"), "recursive", "1").expectProblem(t, 404, "not_found")
	if contentOf(t, kept) != "kept" {
		t.Error("it went through a link")
	}
	must(t, os.Mkdir(h.at("empty"), 0o755))
	h.del("path", h.at("empty")).expect(t, 204, nil)
	h.del("path", kept).expect(t, 204, nil)
	if entries, err := os.ReadDir(h.dir); err != nil || len(entries) != 1 {
		t.Errorf("left %v, %v", entries, err)
	}
}

func TestAGreatFolderIsRemovedWhole(t *testing.T) {
	h := start(t, Options{})
	for _, name := range deepAndWide() {
		h.file("tree/"+name, "")
	}
	h.del("path", h.at("tree"), "recursive", "1").expect(t, 204, nil)
	if _, err := os.Lstat(h.at("tree")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("still there: %v", err)
	}
}

func deepAndWide() []string {
	names := []string{strings.Repeat("d/", 300) + "deepest"}
	for i := range 3000 {
		names = append(names, "wide/"+strings.Repeat("n", 1+i%200)+string(rune('a'+i%26))+time.Duration(i).String())
	}
	return names
}

func TestTheRootAndTheHelperStay(t *testing.T) {
	dir := t.TempDir()
	helper := filepath.Join(dir, "berth")
	must(t, os.MkdirAll(filepath.Join(helper, "run"), 0o755))
	h := start(t, Options{HelperDir: helper})
	must(t, os.Symlink(dir, h.at("link")))
	for _, path := range []string{"/", "//", helper, dir, h.at("link/berth"), dir + "/../" + filepath.Base(dir)} {
		h.del("path", path, "recursive", "1").expectProblem(t, 403, "denied")
	}
	h.post("/files/move", "path", helper, "to", h.at("moved")).expectProblem(t, 403, "denied")
	// The link to it and what is in it are the user's own business.
	h.del("path", h.at("link")).expect(t, 204, nil)
	h.del("path", filepath.Join(helper, "run")).expect(t, 204, nil)
}
