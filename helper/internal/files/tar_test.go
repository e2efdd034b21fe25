package files

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestATreeComesBackFromItsArchiveAsItWas(t *testing.T) {
	h := start(t, Options{})
	tree := h.plantTree("tree")
	must(t, os.Remove(h.at("tree/dangling")))
	must(t, os.Symlink("nowhere", h.at("tree/dangling")))
	socket, err := net.Listen("unix", h.at("tree/socket"))
	must(t, err)
	defer socket.Close()
	h.file("tree/"+filepath.Base(hiddenPath("/x", "u")), "of an upload")
	archive := h.get("/files/tar", "path", tree)
	archive.expect(t, 200, nil)
	if archive.trailer.Get("berth-skipped") != "0" {
		t.Errorf("the trailer is %v", archive.trailer)
	}
	must(t, os.Mkdir(h.at("back"), 0o755))
	var counted struct{ Entries, Bytes int64 }
	h.put(string(archive.body), "/files/tar", "path", h.at("back")).expect(t, 200, &counted)
	if counted.Entries != 7 || counted.Bytes != 700_003 {
		t.Errorf("counted %+v", counted)
	}
	defer os.Chmod(h.at("back/sub"), 0o755)
	expectTree(t, h.at("back"), false)
	if names, err := os.ReadDir(h.at("back")); err != nil || len(names) != 6 {
		t.Errorf("unpacked %v, %v", names, err)
	}
	// A second time, over what is there.
	must(t, os.Chmod(h.at("back/sub"), 0o755))
	h.put(string(archive.body), "/files/tar", "path", h.at("back")).expect(t, 200, nil)
	expectTree(t, h.at("back"), false)
}

func TestOnlyAFolderIsPackedOrUnpackedInto(t *testing.T) {
	h := start(t, Options{})
	h.get("/files/tar", "path", h.file("a", "")).expectProblem(t, 409, "not_directory")
	h.get("/files/tar", "path", h.at("none")).expectProblem(t, 404, "not_found")
	h.put("", "/files/tar", "path", h.at("none")).expectProblem(t, 404, "not_found")
	h.put(strings.Repeat("not a tar ", 100), "/files/tar", "path", h.dir).expectProblem(t, 400, "bad_request")
	whole := h.get("/files/tar", "path", h.dir)
	h.file("b", strings.Repeat("x", 5000))
	whole = h.get("/files/tar", "path", h.dir)
	h.put(string(whole.body[:3000]), "/files/tar", "path", h.dir).expectProblem(t, 400, "bad_request")
}

func TestAFileThatChangesItsSizeIsPaddedAndTheArchiveCut(t *testing.T) {
	for _, size := range []int64{1 << 20, 96 << 20} {
		t.Run(fmt.Sprintf("to %d bytes", size), func(t *testing.T) {
			h := start(t, Options{})
			path := h.file("dir/a", "")
			must(t, os.Truncate(path, 64<<20))
			response, err := h.client.Get(address("/files/tar", "path", h.at("dir")))
			must(t, err)
			defer response.Body.Close()
			reader := tar.NewReader(response.Body)
			header, err := reader.Next()
			must(t, err)
			must(t, os.Truncate(path, size))
			read, err := io.Copy(io.Discard, reader)
			if err == nil {
				_, err = reader.Next()
			}
			if errors.Is(err, io.EOF) || err == nil || header.Size != 64<<20 || read > header.Size {
				t.Errorf("read %d of %d bytes, then %v", read, header.Size, err)
			}
		})
	}
}

// archiveOf packs headers; a regular file's content is its name.
func archiveOf(t testing.TB, headers ...tar.Header) []byte {
	t.Helper()
	var archive bytes.Buffer
	writer := tar.NewWriter(&archive)
	for _, header := range headers {
		if header.Mode == 0 {
			header.Mode = 0o644
		}
		if header.Typeflag == tar.TypeReg {
			header.Size = int64(len(header.Name))
		}
		must(t, writer.WriteHeader(&header))
		if header.Typeflag == tar.TypeReg {
			_, err := io.WriteString(writer, header.Name)
			must(t, err)
		}
	}
	must(t, writer.Close())
	return archive.Bytes()
}

func regular(name string) tar.Header { return tar.Header{Typeflag: tar.TypeReg, Name: name} }
func soft(name, target string) tar.Header {
	return tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target}
}
func hard(name, target string) tar.Header {
	return tar.Header{Typeflag: tar.TypeLink, Name: name, Linkname: target}
}

func TestNothingInAnArchiveLeadsOutOfItsFolder(t *testing.T) {
	for name, archive := range map[string][]tar.Header{
		"a name upwards":                    {regular("../out")},
		"a name upwards in between":         {regular("a/../../out")},
		"an absolute name":                  {regular("/etc/out")},
		"a name that is too long":           {regular(strings.Repeat("n", 256))},
		"a folder upwards":                  {{Typeflag: tar.TypeDir, Name: "../out/"}},
		"an absolute link":                  {soft("l", "/etc")},
		"a link upwards":                    {soft("l", "..")},
		"a link upwards behind a dot":       {soft("d/l", "./../..")},
		"a link upwards from a folder":      {soft("a/l", "../..")},
		"a link upwards behind a name":      {soft("a/l", "x/../../..")},
		"a file behind a planted link":      {regular("planted/out")},
		"a folder behind a planted link":    {{Typeflag: tar.TypeDir, Name: "planted/out"}},
		"a link behind a planted link":      {soft("planted/out", "x")},
		"a hard link upwards":               {hard("h", "../secret")},
		"an absolute hard link":             {hard("h", "/etc/passwd")},
		"a hard link to what is not there":  {hard("h", "none")},
		"a hard link to a link":             {soft("d/l", "../x"), hard("h", "d/l")},
		"a hard link through a link":        {hard("h", "planted/secret")},
		"a link upwards behind a link":      {{Typeflag: tar.TypeDir, Name: "p/q"}, soft("p/s", "q"), soft("p/s/l", "../../x")},
		"a link upwards behind a long link": {soft("p/q/s", "../.."), soft("p/q/s/l", "../x")},
		"a device":                          {{Typeflag: tar.TypeChar, Name: "d"}},
		"a fifo":                            {{Typeflag: tar.TypeFifo, Name: "f"}},
	} {
		t.Run(name, func(t *testing.T) {
			h := start(t, Options{})
			h.file("secret", "secret")
			must(t, os.Mkdir(h.at("in"), 0o755))
			must(t, os.Symlink(h.dir, h.at("in/planted")))
			got := h.put(string(archiveOf(t, archive...)), "/files/tar", "path", h.at("in"))
			got.expectProblem(t, 400, "unsafe_archive")
			last := archive[len(archive)-1].Name
			if !bytes.Contains(got.body, []byte(strings.TrimSuffix(last, "/"))) {
				t.Errorf("the entry is not named: %s", got.body)
			}
			outside, err := os.ReadDir(h.dir)
			must(t, err)
			if len(outside) != 2 || contentOf(t, h.at("secret")) != "secret" {
				t.Errorf("outside there is %v", outside)
			}
		})
	}
}

func TestAnArchiveReplacesLinksInsteadOfFollowingThem(t *testing.T) {
	h := start(t, Options{})
	victim := h.file("victim", "victim")
	must(t, os.Mkdir(h.at("in"), 0o755))
	must(t, os.Symlink(victim, h.at("in/file")))
	must(t, os.Link(victim, h.at("in/hard")))
	must(t, os.MkdirAll(h.at("in/real"), 0o755))
	must(t, os.Symlink("real", h.at("in/dir")))
	h.put(string(archiveOf(t, regular("file"), regular("hard"), tar.Header{Typeflag: tar.TypeDir, Name: "dir/", Mode: 0o755}, regular("dir/x"),
		regular("./a//b"), soft("up/l", "../file"), hard("again", "file"))), "/files/tar", "path", h.at("in")).expect(t, 200, nil)
	for name, want := range map[string]string{"in/file": "file", "in/hard": "hard", "victim": "victim", "in/real/x": "dir/x", "in/a/b": "./a//b",
		"in/up/l": "file", "in/again": "file"} {
		if got := contentOf(t, h.at(name)); got != want {
			t.Errorf("%s holds %q", name, got)
		}
	}
	h.put(string(archiveOf(t, regular("real"))), "/files/tar", "path", h.at("in")).expectProblem(t, 409, "is_directory")
	h.put(string(archiveOf(t, tar.Header{Typeflag: tar.TypeDir, Name: "file"})), "/files/tar", "path", h.at("in")).expectProblem(t, 409, "not_directory")
}

func TestAnArchiveGivesNobodyAnothersRights(t *testing.T) {
	h := start(t, Options{})
	header := regular("a")
	header.Mode = 0o6755
	h.put(string(archiveOf(t, header)), "/files/tar", "path", h.dir).expect(t, 200, nil)
	info, err := os.Stat(h.at("a"))
	must(t, err)
	if info.Mode() != 0o755 {
		t.Errorf("the mode is %v", info.Mode())
	}
}

// What a run covers depends on what the pool of buffers holds, which costs a minute of minimising for each find: run it with
// -fuzzminimizetime=1x.
func FuzzUnpackStaysInItsFolder(f *testing.F) {
	f.Add(archiveOf(f, regular("a/b"), soft("l", "a"), regular("l/c"), hard("h", "a/b")))
	f.Add(archiveOf(f, soft("a/l", "../x"), hard("h", "a/l"), regular("h/x")))
	f.Add(archiveOf(f, regular("../out"), soft("l", "/"), tar.Header{Typeflag: tar.TypeDir, Name: "a/"}))
	f.Fuzz(func(t *testing.T, archive []byte) {
		dir := t.TempDir()
		in := filepath.Join(dir, "in")
		must(t, os.Mkdir(in, 0o755))
		must(t, os.WriteFile(filepath.Join(dir, "secret"), []byte("secret"), 0o600))
		root, err := os.OpenRoot(in)
		must(t, err)
		defer root.Close()
		_ = (&unpacking{files: New(Options{}), root: root}).all(t.Context(), bytes.NewReader(archive))
		if outside, err := os.ReadDir(dir); err != nil || len(outside) != 2 || contentOf(t, filepath.Join(dir, "secret")) != "secret" {
			t.Fatalf("outside there is %v, %v", outside, err)
		}
		_ = filepath.WalkDir(in, func(path string, entry os.DirEntry, err error) error {
			if err != nil {
				return nil
			}
			if resolved, err := filepath.EvalSymlinks(path); err == nil && resolved != in && !strings.HasPrefix(resolved, in+"/") {
				t.Fatalf("%s leads to %s", path, resolved)
			}
			if info, err := entry.Info(); err == nil && info.Mode()&(os.ModeSetuid|os.ModeSetgid|os.ModeDevice|os.ModeNamedPipe) != 0 {
				t.Fatalf("%s is %v", path, info.Mode())
			}
			return nil
		})
	})
}
