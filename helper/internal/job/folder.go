package job

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"berth.dev/helper/internal/regular"
)

// folder is where a job lies: spec.json before it starts, stdout and stderr while it runs, result.json when it has ended. So after any
// crash the disk says whether something has run under an id.
type folder string

// identity is what spec.json keeps: enough to tell of a job whose end nobody saw. What was asked for is not for the disk.
type identity struct {
	ID        string    `json:"id"`
	StartedAt time.Time `json:"started_at"`
}

func (f folder) stdout() string { return filepath.Join(string(f), "stdout") }
func (f folder) stderr() string { return filepath.Join(string(f), "stderr") }

// make makes the folder and notes what is about to run in it.
func (f folder) make(one identity) error {
	if err := os.Mkdir(string(f), 0o700); err != nil {
		return fmt.Errorf("make the folder of the job: %w", err)
	}
	return f.write("spec.json", one)
}

func (f folder) identity() (one identity, err error) { return one, f.read("spec.json", &one) }

func (f folder) result() (status Status, err error) {
	err = f.read("result.json", &status)
	if err == nil && (status.Status != ended || status.End == nil || status.EndedAt == nil) {
		err = errors.New("result.json: not the status of an ended job")
	}
	return status, err
}

// remove deletes the folder. Renaming it first makes that one step: nobody finds half a job after a crash.
func (f folder) remove() error {
	gone := filepath.Join(filepath.Dir(string(f)), ".removed-"+filepath.Base(string(f)))
	if err := os.Rename(string(f), gone); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove the job: %w", err)
	}
	if err := os.RemoveAll(gone); err != nil {
		return fmt.Errorf("remove the job: %w", err)
	}
	return nil
}

func (f folder) read(name string, into any) error {
	text, err := regular.Read(filepath.Join(string(f), name))
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return nil
}

// write puts a file in place at once, and on the disk: the node may go down right after.
func (f folder) write(name string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	path := filepath.Join(string(f), name)
	if err := writeSynced(path+".new", text); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := syncFolder(string(f)); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// writeSynced makes the file anew: what lies there may be a pipe, which would hold the helper.
func writeSynced(path string, text []byte) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	return errors.Join(err, file.Sync(), file.Close())
}

func syncFolder(path string) error {
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}
