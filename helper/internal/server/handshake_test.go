package server

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// knock makes the TLS part of the handshake and answers what the proof is made of.
func knock(t *testing.T, address string) (conn *tls.Conn, material []byte) {
	t.Helper()
	plain, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		t.Fatal(err)
	}
	// The certificate proves nothing; the server's own proof does.
	conn = tls.Client(plain, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS13})
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	if err := conn.Handshake(); err != nil {
		t.Fatal(err)
	}
	state := conn.ConnectionState()
	if material, err = state.ExportKeyingMaterial(exporterLabel, nil, exporterBytes); err != nil {
		t.Fatal(err)
	}
	return conn, material
}

// enter makes the whole handshake.
func enter(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, material := knock(t, address)
	if _, err := conn.Write(proof(secret, clientLabel, material)); err != nil {
		t.Fatal(err)
	}
	shown := make([]byte, 32)
	if _, err := io.ReadFull(conn, shown); err != nil {
		t.Fatal(err)
	}
	if string(shown) != string(proof(secret, serverLabel, material)) {
		t.Fatal("the server does not know the secret")
	}
	return conn
}

// isClosed says that the server closes the connection without another byte.
func isClosed(conn net.Conn) bool {
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	n, err := conn.Read(make([]byte, 1))
	var timeout net.Error
	return n == 0 && err != nil && (!errors.As(err, &timeout) || !timeout.Timeout())
}

func TestAClientThatKnowsTheSecretIsServedOverTLS(t *testing.T) {
	r := start(t, nil)
	c := client(func() (net.Conn, error) { return enter(t, r.address), nil })
	defer c.CloseIdleConnections()
	if got := health(t, c); got["protocol"] != 3.0 {
		t.Errorf("%v", got)
	}
}

func TestWhoDoesNotKnowTheSecretIsClosedWithoutAWord(t *testing.T) {
	r := start(t, nil)
	_, earlier := knock(t, r.address)
	for name, show := range map[string]func(material []byte) []byte{
		"another secret":               func(m []byte) []byte { return proof([]byte("another"), clientLabel, m) },
		"the server's own proof":       func(m []byte) []byte { return proof(secret, serverLabel, m) },
		"a proof of another handshake": func([]byte) []byte { return proof(secret, clientLabel, earlier) },
		"HTTP/2 without any": func([]byte) []byte {
			return []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
		},
	} {
		conn, material := knock(t, r.address)
		if _, err := conn.Write(show(material)); err != nil {
			t.Fatal(err)
		}
		if !isClosed(conn) {
			t.Errorf("%s: not closed", name)
		}
	}
	if r.Connections() != 0 {
		t.Errorf("%d were let in", r.Connections())
	}
}

func TestGarbageAndOldTLSAreClosed(t *testing.T) {
	r := start(t, nil)
	plain, err := net.Dial("tcp", r.address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = plain.Close() }()
	if _, err := plain.Write([]byte("GET / HTTP/1.1\r\n\r\n and more of what is no TLS")); err != nil {
		t.Fatal(err)
	}
	_ = plain.SetReadDeadline(time.Now().Add(patience))
	// A TLS alert is all that may come.
	if content, err := io.ReadAll(plain); len(content) > 100 {
		t.Errorf("%d bytes, %v", len(content), err)
	}
	old := &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}, MaxVersion: tls.VersionTLS12}
	if conn, err := tls.Dial("tcp", r.address, old); err == nil {
		_ = conn.Close()
		t.Error("TLS 1.2 is spoken")
	}
}

func TestTheSeventeenthUnauthenticatedConnectionIsClosedAtOnce(t *testing.T) {
	r := start(t, nil)
	waiting := make([]*tls.Conn, maxUnauthenticated)
	for i := range waiting {
		waiting[i], _ = knock(t, r.address)
	}
	began := time.Now()
	conn, err := net.Dial("tcp", r.address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if !isClosed(conn) || time.Since(began) > handshakeTimeout/2 {
		t.Errorf("closed after %v", time.Since(began))
	}
	_ = waiting[0].Close()
	deadline := time.Now().Add(patience)
	for !admits(r.address) {
		if time.Now().After(deadline) {
			t.Fatal("a place that is free again is not given")
		}
	}
}

// admits says whether a connection gets as far as TLS.
func admits(address string) bool {
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

func TestAClientThatSaysNothingIsClosedInTime(t *testing.T) {
	r := startWith(t, Options{HandshakeTimeout: 200 * time.Millisecond}, nil)
	conn, _ := knock(t, r.address)
	if !isClosed(conn) {
		t.Error("not closed")
	}
	if handshakeTimeout != 5*time.Second {
		t.Error("the protocol says 5 s")
	}
}

func TestASecretOfAnotherSizeIsRefused(t *testing.T) {
	if _, err := New(Options{}).ListenTLS(context.Background(), []string{"127.0.0.1:0"}, []byte("short")); err == nil {
		t.Error("no error")
	}
}

func TestAnAddressThatCannotBeBoundLeavesTheOthers(t *testing.T) {
	r := start(t, nil)
	bound, err := r.ListenTLS(t.Context(), []string{r.address, "127.0.0.1:0"}, secret)
	if err == nil || len(bound) != 1 {
		t.Errorf("%v, %v", bound, err)
	}
}
