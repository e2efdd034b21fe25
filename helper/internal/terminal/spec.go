package terminal

import (
	"errors"
	"fmt"
	"strings"

	"berth.dev/helper/internal/tty"
)

// spec is the body of PUT /terminals/{id}.
type spec struct {
	Argv      []string          `json:"argv"`
	Cwd       string            `json:"cwd"`
	Env       map[string]string `json:"env"`
	Cols      int               `json:"cols"`
	Rows      int               `json:"rows"`
	RingBytes int64             `json:"ring_bytes"`
}

// complete fills in what may be left out and refuses what cannot be.
func (s spec) complete() (spec, error) {
	if len(s.Argv) == 0 || s.Argv[0] == "" {
		return s, errors.New("argv: the program is missing")
	}
	for name := range s.Env {
		if name == "" || strings.ContainsAny(name, "=\x00") {
			return s, fmt.Errorf("env: %q is no name", name)
		}
	}
	if s.Cols == 0 && s.Rows == 0 {
		s.Cols, s.Rows = 80, 24
	}
	if err := checkSize(s.Cols, s.Rows); err != nil {
		return s, err
	}
	if s.RingBytes == 0 {
		s.RingBytes = MaxRingBytes
	}
	if s.RingBytes < 0 || s.RingBytes > MaxRingBytes {
		return s, fmt.Errorf("ring_bytes: at most %d", MaxRingBytes)
	}
	s.RingBytes = max(s.RingBytes, minRingBytes)
	return s, nil
}

// environment is what the program has besides the container's own.
func (s spec) environment() map[string]string {
	env := map[string]string{"TERM": "xterm-256color"}
	for name, value := range s.Env {
		env[name] = value
	}
	return env
}

func checkSize(cols, rows int) error {
	if cols < 1 || cols > tty.MaxSize || rows < 1 || rows > tty.MaxSize {
		return fmt.Errorf("cols, rows: each of 1..%d", tty.MaxSize)
	}
	return nil
}
