package files

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestStatTellsWhatAFileIs(t *testing.T) {
	h := start(t, Options{})
	h.file("a", "12345")
	must(t, os.Chmod(h.at("a"), 0o640))
	must(t, os.Symlink("a", h.at("link")))
	must(t, os.Symlink("nowhere", h.at("dangling")))
	must(t, syscall.Mkfifo(h.at("fifo"), 0o600))

	var file, link, followed, folder, fifo entry
	h.get("/files/stat", "path", h.at("a")).expect(t, 200, &file)
	if file.Name != "a" || file.Type != "file" || file.Size != 5 || file.Mode != 0o640 || file.UID != uint32(os.Getuid()) || file.Target != nil {
		t.Errorf("the file is %+v", file)
	}
	h.get("/files/stat", "path", h.at("link")).expect(t, 200, &link)
	if link.Type != "symlink" || link.Target == nil || *link.Target != "a" {
		t.Errorf("the link is %+v", link)
	}
	h.get("/files/stat", "path", h.at("link"), "follow", "1").expect(t, 200, &followed)
	if followed.Type != "file" || followed.Size != 5 {
		t.Errorf("behind the link is %+v", followed)
	}
	h.get("/files/stat", "path", "/").expect(t, 200, &folder)
	if folder.Name != "/" || folder.Type != "directory" {
		t.Errorf("the root is %+v", folder)
	}
	h.get("/files/stat", "path", h.at("fifo")).expect(t, 200, &fifo)
	if fifo.Type != "other" {
		t.Errorf("the fifo is %+v", fifo)
	}
	h.get("/files/stat", "path", h.at("dangling"), "follow", "1").expectProblem(t, 404, "not_found")
	h.get("/files/stat", "path", h.at("a/below")).expectProblem(t, 409, "not_directory")
}

func TestPathsThatAreNoneAreRefused(t *testing.T) {
	h := start(t, Options{})
	for _, path := range []string{"", "relative", "/with\x00nul", "/" + strings.Repeat("x/", 2048)} {
		h.get("/files/stat", "path", path).expectProblem(t, 400, "bad_request")
	}
	h.get("/files/stat", "path", h.at(strings.Repeat("n", 256))).expectProblem(t, 400, "bad_request")
	h.do("GET", "http://helper/files/stat?path=%zz", nil).expectProblem(t, 400, "bad_request")
	must(t, os.Symlink("loop", h.at("loop")))
	h.get("/files/stat", "path", h.at("loop"), "follow", "1").expectProblem(t, 400, "bad_request")
}

func TestAnyNameWorks(t *testing.T) {
	h := start(t, Options{})
	for _, name := range []string{"new\nline", "-rf", "\xff\xfe", "a b+c&d=e%41", "\"'\\", "ümläut"} {
		h.put("content of "+name, "/files/content", "path", h.at(name), "upload", "u", "commit", "1").expect(t, 200, nil)
		if got := h.get("/files/content", "path", h.at(name)); string(got.body) != "content of "+name {
			t.Errorf("%q holds %q", name, got.body)
		}
	}
	var listed page
	h.get("/files/list", "path", h.dir).expect(t, 200, &listed)
	if len(listed.Entries) != 6 {
		t.Fatalf("listed %+v", listed.Entries)
	}
	last := listed.Entries[5]
	if last.NameBase64 != "//4=" || listed.Entries[0].NameBase64 != "" {
		t.Errorf("the name that is not UTF-8 is listed as %+v", last)
	}
}

func TestContentIsReadInRanges(t *testing.T) {
	h := start(t, Options{})
	path := h.file("a", "0123456789")
	for _, c := range []struct{ offset, length, want string }{
		{"", "", "0123456789"}, {"3", "", "3456789"}, {"3", "2", "34"}, {"8", "100", "89"}, {"10", "", ""}, {"99", "5", ""}, {"0", "0", ""},
	} {
		got := h.get("/files/content", "path", path, "offset", c.offset, "length", c.length)
		got.expect(t, 200, nil)
		if string(got.body) != c.want {
			t.Errorf("offset %q length %q: %q", c.offset, c.length, got.body)
		}
		if got.header.Get("berth-size") != "10" || got.header.Get("berth-mode") != "644" || got.header.Get("berth-mtime-ms") == "" {
			t.Errorf("headers %v", got.header)
		}
	}
	h.get("/files/content", "path", path, "offset", "-1").expectProblem(t, 400, "bad_request")
	h.get("/files/content", "path", path, "length", "many").expectProblem(t, 400, "bad_request")
}

func TestOnlyRegularFilesHaveContent(t *testing.T) {
	h := start(t, Options{})
	must(t, syscall.Mkfifo(h.at("fifo"), 0o600))
	h.get("/files/content", "path", h.at("fifo")).expectProblem(t, 409, "not_regular")
	h.get("/files/sha256", "path", h.at("fifo")).expectProblem(t, 409, "not_regular")
	h.get("/files/content", "path", "/dev/zero").expectProblem(t, 409, "not_regular")
	h.get("/files/content", "path", h.dir).expectProblem(t, 409, "is_directory")
	h.get("/files/content", "path", h.at("none")).expectProblem(t, 404, "not_found")
}

func TestAFileOfTheKernelIsReadThoughItSaysNoSize(t *testing.T) {
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("there is no /proc")
	}
	h := start(t, Options{})
	if got := h.get("/files/content", "path", "/proc/self/status"); !strings.Contains(string(got.body), "Pid:") {
		t.Errorf("got %q", got.body)
	}
}

func TestAFileThatShrinksWhileItIsSentResetsTheStream(t *testing.T) {
	h := start(t, Options{})
	const size = 64 << 20
	path := h.file("a", "")
	must(t, os.Truncate(path, size))
	response, err := h.client.Get(address("/files/content", "path", path))
	must(t, err)
	defer response.Body.Close()
	if response.ContentLength != size {
		t.Fatalf("promised %d", response.ContentLength)
	}
	// The stream's window is far smaller than the file, so most of it has not been read yet.
	must(t, os.Truncate(path, 4<<20))
	read, err := io.Copy(io.Discard, response.Body)
	if err == nil || read >= size {
		t.Errorf("read %d bytes, error %v", read, err)
	}
}

func TestSHA256IsOfTheWholeFile(t *testing.T) {
	h := start(t, Options{})
	content := strings.Repeat("x", 3*copyBufferBytes+1)
	sum := sha256.Sum256([]byte(content))
	var got struct {
		SHA256 string
		Size   int
	}
	h.get("/files/sha256", "path", h.file("a", content)).expect(t, 200, &got)
	if got.SHA256 != hex.EncodeToString(sum[:]) || got.Size != len(content) {
		t.Errorf("got %+v", got)
	}
}

func TestAListingIsSortedByBytesAndPaged(t *testing.T) {
	h := start(t, Options{})
	var want []string
	for i := range 2500 {
		name := fmt.Sprintf("n%04d", i)
		want = append(want, name)
		h.file(name, "")
	}
	h.file("Z", "")
	want = append([]string{"Z"}, want...)
	h.file(hiddenPath("/x", "u")[1:], "of an upload")
	var got []string
	pages := 0
	for after, more := "", true; more; pages++ {
		var listed page
		h.get("/files/list", "path", h.dir, "after", after, "limit", "700").expect(t, 200, &listed)
		for _, entry := range listed.Entries {
			got = append(got, entry.Name)
		}
		if more = listed.Next != nil; more {
			after = *listed.Next
		}
	}
	if pages != 4 || strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("%d pages, %d names", pages, len(got))
	}
	for _, limit := range []string{"0", "1001", "-1", "x"} {
		h.get("/files/list", "path", h.dir, "limit", limit).expectProblem(t, 400, "bad_request")
	}
	h.get("/files/list", "path", h.dir, "after", "???").expectProblem(t, 400, "bad_request")
	h.get("/files/list", "path", h.at("Z")).expectProblem(t, 409, "not_directory")
	must(t, os.Mkdir(h.at("empty"), 0o755))
	if got := h.get("/files/list", "path", h.at("empty")); strings.TrimSpace(string(got.body)) != `{"entries":[],"next":null}` {
		t.Errorf("an empty folder is %s", got.body)
	}
}

func TestThePlaneGetsTheKernelsRefusal(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root is refused nothing")
	}
	h := start(t, Options{})
	must(t, os.Chmod(h.file("a", ""), 0))
	h.get("/files/content", "path", h.at("a")).expectProblem(t, http.StatusForbidden, "denied")
}
