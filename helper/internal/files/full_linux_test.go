package files

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func TestAFullDiskIsToldAndTheUploadGoesOnWhenThereIsRoom(t *testing.T) {
	h := start(t, Options{})
	must(t, os.Mkdir(h.at("small"), 0o755))
	if err := syscall.Mount("tmpfs", h.at("small"), "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("a small file system cannot be mounted: %v", err)
	}
	defer syscall.Unmount(h.at("small"), syscall.MNT_DETACH)
	h.file("small/in the way", strings.Repeat("x", 512<<10))
	content := strings.Repeat("0123456789abcdef", 50_000)
	h.put(content, "/files/content", "path", h.at("small/a"), "upload", "u", "commit", "1").expectProblem(t, 507, "no_space")
	var at uploadAnswer
	h.get("/files/upload", "path", h.at("small/a"), "upload", "u").expect(t, 200, &at)
	if at.Offset == 0 || at.Offset >= int64(len(content)) {
		t.Fatalf("the upload stands at %+v", at)
	}
	must(t, os.Remove(h.at("small/in the way")))
	eventually(t, func() bool {
		var now uploadAnswer
		h.get("/files/upload", "path", h.at("small/a"), "upload", "u").expect(t, 200, &now)
		return h.put(content[now.Offset:], "/files/content", "path", h.at("small/a"), "upload", "u", "offset", strconv.FormatInt(now.Offset, 10), "commit", "1").status == 200
	})
	if contentOf(t, h.at("small/a")) != content {
		t.Error("the file is not what was sent")
	}
}
