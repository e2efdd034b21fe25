package server

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// ListenSocket serves a socket that only this user may join, until the context ends. One that an earlier helper left behind is replaced.
func (s *Server) ListenSocket(ctx context.Context, path string) error {
	return listenPrivately(ctx, path, s.offer)
}

func listenPrivately(ctx context.Context, path string, take func(net.Conn)) error {
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("make the socket's folder: %w", err)
	}
	// The folder's mode keeps others out between bind and chmod.
	if err := os.Chmod(folder, 0o700); err != nil {
		return fmt.Errorf("close the socket's folder to others: %w", err)
	}
	if err := os.RemoveAll(path); err != nil {
		return fmt.Errorf("remove the old socket: %w", err)
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		_ = listener.Close()
		return fmt.Errorf("close the socket to others: %w", err)
	}
	go acceptUntil(ctx, listener, take)
	return nil
}
