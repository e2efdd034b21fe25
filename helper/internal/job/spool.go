package job

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
)

// spool is one stream of a job's output in a file. One goroutine writes, any number reads what `size` says is there.
type spool struct {
	path  string
	limit int64
	quota *Quota

	file *os.File // nil once the job has ended
	full bool     // something had to be left out; nothing more is written

	mu   sync.Mutex
	size int64
}

// makeSpool makes the file, which must not exist.
func makeSpool(path string, limit int64, quota *Quota) (*spool, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make the file of the output: %w", err)
	}
	return &spool{path: path, limit: limit, quota: quota, file: file}, nil
}

// oldSpool is what an earlier run has left; nothing where it has left nothing.
func oldSpool(path string, quota *Quota) *spool {
	s := &spool{path: path, quota: quota}
	if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() {
		s.size = info.Size()
		quota.claim(s.size)
	}
	return s
}

// write keeps the bytes up to the limits, and answers why it did not keep all of them: "" where it did. After that it keeps nothing.
func (s *spool) write(data []byte) (refusal string) {
	if s.full {
		return ""
	}
	size := s.bytes()
	wanted := min(int64(len(data)), s.limit-size)
	granted := s.quota.take(wanted)
	count, err := s.file.WriteAt(data[:granted], size)
	s.quota.give(granted - int64(count))
	s.mu.Lock()
	s.size += int64(count)
	s.mu.Unlock()
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		refusal = "no space is left on the disk for the output"
	case err != nil:
		refusal = "the output cannot be written: " + err.Error()
	case granted < wanted:
		refusal = fmt.Sprintf("the output of all jobs together is limited to %d bytes", s.quota.limit)
	case wanted < int64(len(data)):
		refusal = fmt.Sprintf("the output is limited to %d bytes", s.limit)
	}
	s.full = refusal != ""
	return refusal
}

func (s *spool) bytes() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.size
}

// close lets go of the file; it stays readable. Only after the last write.
func (s *spool) close() {
	if s.file != nil {
		// Every byte was written; a failure here is one of the disk that shows when the file is read.
		_ = s.file.Close()
		s.file = nil
	}
}

// forget gives back what a removed file has taken.
func (s *spool) forget() { s.quota.give(s.bytes()) }
