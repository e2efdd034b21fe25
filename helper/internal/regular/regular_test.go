package regular

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestOnlyRegularFilesOfBoundedSizeAreReadAndNothingIsWaitedFor(t *testing.T) {
	at := func(name string) string { return filepath.Join(t.TempDir(), name) }
	file, link, pipe, large := at("file"), at("link"), at("pipe"), at("large")
	for _, err := range []error{
		os.WriteFile(file, []byte("text"), 0o600), os.Symlink(file, link), syscall.Mkfifo(pipe, 0o600),
		os.WriteFile(large, nil, 0o600), os.Truncate(large, MaxBytes+1),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if text, err := Read(file); err != nil || string(text) != "text" {
		t.Errorf("%q %v", text, err)
	}
	if text, err := ReadFollowing(link); err != nil || string(text) != "text" {
		t.Errorf("%q %v", text, err)
	}
	for path, want := range map[string]error{
		pipe: ErrNotRegular, filepath.Dir(file): ErrNotRegular, large: ErrTooLarge, link: syscall.ELOOP, at("none"): os.ErrNotExist,
	} {
		if _, err := Read(path); !errors.Is(err, want) {
			t.Errorf("%s: %v", path, err)
		}
	}
}
