package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// runInstall is what the init container does: it leaves this very program at FOLDER/bin/helper.
func runInstall(args []string) int {
	if len(args) != 1 {
		fmt.Fprint(os.Stderr, usage)
		return 2
	}
	if err := install(args[0]); err != nil {
		fmt.Fprintln(os.Stderr, "berth-helper:", err)
		return 1
	}
	return 0
}

// install writes beside the name and renames, so that nobody ever runs half a program.
func install(dir string) error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	from, err := os.Open(program)
	if err != nil {
		return fmt.Errorf("read this program: %w", err)
	}
	defer func() { _ = from.Close() }()
	bin := filepath.Join(dir, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return fmt.Errorf("make the folder: %w", err)
	}
	to, err := os.CreateTemp(bin, ".helper-")
	if err != nil {
		return fmt.Errorf("make the file: %w", err)
	}
	_, err = io.Copy(to, from)
	// The mode of a temporary file is 0600, and the session's user is another.
	err = errors.Join(err, to.Chmod(0o755), to.Close())
	if err == nil {
		err = os.Rename(to.Name(), filepath.Join(bin, "helper"))
	}
	if err != nil {
		_ = os.Remove(to.Name())
		return fmt.Errorf("install: %w", err)
	}
	return nil
}
