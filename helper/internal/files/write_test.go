package files

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

func (h *harness) expectNothingHidden() {
	h.t.Helper()
	entries, err := os.ReadDir(h.dir)
	must(h.t, err)
	for _, entry := range entries {
		if isUploadName(entry.Name()) {
			h.t.Errorf("%s was left behind", entry.Name())
		}
	}
}

func TestAnUploadInPartsTakesItsNameWithTheCommit(t *testing.T) {
	h := start(t, Options{})
	path := h.at("a")
	sum := sha256.Sum256([]byte("first second third"))
	var at uploadAnswer
	h.put("first ", "/files/content", "path", path, "upload", "u", "offset", "0").expect(t, 200, &at)
	h.put("second ", "/files/content", "path", path, "upload", "u", "offset", "6").expect(t, 200, &at)
	if at.Offset != 13 || at.Committed {
		t.Errorf("after two parts: %+v", at)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the name is taken before the commit: %v", err)
	}
	h.put("third", "/files/content", "path", path, "upload", "u", "offset", "13", "commit", "1", "mode", "0751",
		"mtime_ms", "1700000000123", "sha256", strings.ToUpper(hex.EncodeToString(sum[:]))).expect(t, 200, &at)
	info, err := os.Stat(path)
	must(t, err)
	if contentOf(t, path) != "first second third" || info.Mode().Perm() != 0o751 || info.ModTime().UnixMilli() != 1700000000123 {
		t.Errorf("%q %v %v", contentOf(t, path), info.Mode(), info.ModTime())
	}
	if at.Offset != 18 || !at.Committed {
		t.Errorf("after the commit: %+v", at)
	}
	h.expectNothingHidden()
}

func TestAPartThatDoesNotBeginAtTheEndIsToldWhereThatIs(t *testing.T) {
	h := start(t, Options{})
	part := func(body, offset string) answer {
		return h.put(body, "/files/content", "path", h.at("a"), "upload", "u", "offset", offset)
	}
	refused := part("x", "5")
	refused.expectProblem(t, 409, "conflict")
	if refused.header.Get("berth-offset") != "0" {
		t.Errorf("stands at %q", refused.header.Get("berth-offset"))
	}
	part("12345", "0").expect(t, 200, nil)
	for _, offset := range []string{"0", "4", "6"} {
		refused := part("x", offset)
		refused.expectProblem(t, 409, "conflict")
		if refused.header.Get("berth-offset") != "5" {
			t.Errorf("offset %s: stands at %q", offset, refused.header.Get("berth-offset"))
		}
	}
	h.put("", "/files/content", "path", h.at("a"), "upload", "../u").expectProblem(t, 400, "bad_request")
}

func TestAnInterruptedPartIsResumedWhereItBroke(t *testing.T) {
	h := start(t, Options{})
	path := h.at("a")
	reader, writer := io.Pipe()
	request, err := http.NewRequest("PUT", address("/files/content", "path", path, "upload", "u"), reader)
	must(t, err)
	ended := make(chan error, 1)
	go func() {
		response, err := h.client.Do(request)
		if err == nil {
			response.Body.Close()
		}
		ended <- err
	}()
	_, err = io.WriteString(writer, "arrived")
	must(t, err)
	h.waitForUpload(path, 7)
	writer.CloseWithError(errors.New("the client is gone"))
	if err := <-ended; err == nil {
		t.Fatal("the interrupted request was answered")
	}
	// The first request may still hold the upload for a moment.
	eventually(t, func() bool {
		return h.put(" later", "/files/content", "path", path, "upload", "u", "offset", "7", "commit", "1").status == 200
	})
	if contentOf(t, path) != "arrived later" {
		t.Errorf("got %q", contentOf(t, path))
	}
}

// waitForUpload returns when an upload stands at an offset.
func (h *harness) waitForUpload(path string, offset int64) {
	h.t.Helper()
	eventually(h.t, func() bool {
		var at uploadAnswer
		h.get("/files/upload", "path", path, "upload", "u").expect(h.t, 200, &at)
		return at.Offset == offset
	})
}

// eventually asks again until the answer is yes, for ten seconds.
func eventually(t testing.TB, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it did not come to hold within 10 s")
		}
	}
}

func TestPartsOfOneUploadDoNotRunAtTheSameTime(t *testing.T) {
	h := start(t, Options{})
	path := h.at("a")
	reader, writer := io.Pipe()
	request, err := http.NewRequest("PUT", address("/files/content", "path", path, "upload", "u", "commit", "1"), reader)
	must(t, err)
	ended := make(chan error, 1)
	go func() {
		response, err := h.client.Do(request)
		if err == nil {
			response.Body.Close()
		}
		ended <- err
	}()
	_, err = io.WriteString(writer, "slow")
	must(t, err)
	h.waitForUpload(path, 4)
	h.put("x", "/files/content", "path", path, "upload", "u", "offset", "4").expectProblem(t, 409, "conflict")
	h.do("DELETE", address("/files/upload", "path", path, "upload", "u"), nil).expectProblem(t, 409, "conflict")
	h.put("other", "/files/content", "path", path, "upload", "other", "commit", "1").expect(t, 200, nil)
	writer.Close()
	must(t, <-ended)
	if contentOf(t, path) != "slow" {
		t.Errorf("got %q", contentOf(t, path))
	}
}

func TestACommitWhoseAnswerWasLostIsAnsweredAgain(t *testing.T) {
	h := start(t, Options{})
	path := h.at("a")
	commit := func() answer {
		return h.put("whole", "/files/content", "path", path, "upload", "u", "commit", "1")
	}
	commit().expect(t, 200, nil)
	must(t, os.WriteFile(path, []byte("changed since"), 0o644))
	var at uploadAnswer
	commit().expect(t, 200, &at)
	if at.Offset != 5 || !at.Committed || contentOf(t, path) != "changed since" {
		t.Errorf("the repeat answered %+v, the file holds %q", at, contentOf(t, path))
	}
	h.get("/files/upload", "path", path, "upload", "u").expect(t, 200, &at)
	if !at.Committed {
		t.Errorf("the upload is said to stand at %+v", at)
	}
}

func TestAnUploadWithAnotherSumIsDropped(t *testing.T) {
	h := start(t, Options{})
	path := h.file("a", "old")
	h.put("new", "/files/content", "path", path, "upload", "u", "commit", "1", "sha256", strings.Repeat("0", 64)).expectProblem(t, 400, "bad_request")
	if contentOf(t, path) != "old" {
		t.Errorf("got %q", contentOf(t, path))
	}
	h.expectNothingHidden()
	h.put("new", "/files/content", "path", path, "upload", "u", "commit", "1", "sha256", "12").expectProblem(t, 400, "bad_request")
}

func TestAReplacedFileKeepsItsModeAndALinkItsPlace(t *testing.T) {
	h := start(t, Options{})
	path := h.file("real/a", "old")
	must(t, os.Chmod(path, 0o600))
	must(t, os.Symlink("real/a", h.at("link")))
	must(t, os.Symlink("real/new", h.at("dangling")))
	h.put("new", "/files/content", "path", h.at("link"), "upload", "u", "commit", "1").expect(t, 200, nil)
	info, err := os.Lstat(path)
	must(t, err)
	if contentOf(t, path) != "new" || info.Mode().Perm() != 0o600 {
		t.Errorf("%q %v", contentOf(t, path), info.Mode())
	}
	if target, err := os.Readlink(h.at("link")); err != nil || target != "real/a" {
		t.Errorf("the link is %q, %v", target, err)
	}
	h.put("made", "/files/content", "path", h.at("dangling"), "upload", "u", "commit", "1").expect(t, 200, nil)
	if contentOf(t, h.at("real/new")) != "made" {
		t.Errorf("got %q", contentOf(t, h.at("real/new")))
	}
	must(t, os.Symlink("loop", h.at("loop")))
	h.put("", "/files/content", "path", h.at("loop"), "upload", "u", "commit", "1").expectProblem(t, 400, "bad_request")
}

func TestOnlyAFileInAFolderIsWritten(t *testing.T) {
	h := start(t, Options{})
	h.file("a", "")
	must(t, os.Mkdir(h.at("dir"), 0o755))
	put := func(path string) answer {
		return h.put("x", "/files/content", "path", path, "upload", "u", "commit", "1")
	}
	put(h.at("dir")).expectProblem(t, 409, "is_directory")
	put(h.at("none/a")).expectProblem(t, 404, "not_found")
	put(h.at("a/b")).expectProblem(t, 409, "not_directory")
	put("/").expectProblem(t, 400, "bad_request")
	put(h.dir+"/..").expectProblem(t, 400, "bad_request")
	h.expectNothingHidden()
}

func TestAnUploadIsDroppedOnRequestAndWhenItIsAbandoned(t *testing.T) {
	later := time.Now()
	h := start(t, Options{Now: func() time.Time { return later }})
	path := h.at("a")
	h.put("x", "/files/content", "path", path, "upload", "dropped").expect(t, 200, nil)
	h.do("DELETE", address("/files/upload", "path", path, "upload", "dropped"), nil).expect(t, 204, nil)
	h.do("DELETE", address("/files/upload", "path", path, "upload", "dropped"), nil).expect(t, 204, nil)
	h.expectNothingHidden()

	h.put("x", "/files/content", "path", path, "upload", "abandoned").expect(t, 200, nil)
	later = later.Add(2 * time.Hour)
	h.put("x", "/files/content", "path", path, "upload", "second", "commit", "1").expect(t, 200, nil)
	if _, err := os.Stat(hiddenPath(path, "abandoned")); err != nil {
		t.Errorf("a fresh upload was taken for abandoned: %v", err)
	}
	later = later.Add(25 * time.Hour)
	h.put("x", "/files/content", "path", path, "upload", "third", "commit", "1").expect(t, 200, nil)
	h.expectNothingHidden()
}
