package server

import (
	"context"
	"net"
	"sync"
)

// connection notes its own death before net/http hears of it. The server cancels the requests of a lost connection just as it cancels one
// that the client has reset, and only the latter means that the client does not want it any more.
type connection struct {
	net.Conn
	lost    chan struct{}
	once    sync.Once
	onClose func()
}

func newConnection(conn net.Conn, onClose func()) *connection {
	return &connection{Conn: conn, lost: make(chan struct{}), onClose: onClose}
}

// Read marks the connection lost at any error, the end of the stream included: a client that half-closes ends its requests too.
func (c *connection) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil {
		c.markLost()
	}
	return n, err
}

func (c *connection) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if err != nil {
		c.markLost()
	}
	return n, err
}

func (c *connection) Close() error {
	c.markLost()
	return c.Conn.Close()
}

func (c *connection) markLost() {
	c.once.Do(func() {
		close(c.lost)
		c.onClose()
	})
}

type connectionKey struct{}

// withConnection is the http.Server's ConnContext.
func withConnection(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, conn)
}

// ConnectionLost is closed when the connection of a request is lost; nil outside of this server.
func ConnectionLost(ctx context.Context) <-chan struct{} {
	if conn, ok := ctx.Value(connectionKey{}).(*connection); ok {
		return conn.lost
	}
	return nil
}
