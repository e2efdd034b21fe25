package server

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"time"
)

const (
	// SecretBytes is the size of the secret that control plane and helper share.
	SecretBytes        = 32
	handshakeTimeout   = 5 * time.Second
	maxUnauthenticated = 16
	clientLabel        = "berth-client-v1"
	serverLabel        = "berth-server-v1"
	exporterLabel      = "EXPORTER-Channel-Binding" // RFC 9266
	exporterBytes      = 32
)

var errNotAuthenticated = errors.New("the client does not know the secret")

// ListenTLS serves TCP connections that prove to know the secret, until the context ends. Addresses that cannot be bound are returned as errors.
func (s *Server) ListenTLS(ctx context.Context, addresses []string, secret []byte) ([]net.Addr, error) {
	if len(secret) != SecretBytes {
		return nil, fmt.Errorf("the secret has %d bytes and not %d", len(secret), SecretBytes)
	}
	config, err := tlsConfig()
	if err != nil {
		return nil, err
	}
	waiting := make(chan struct{}, maxUnauthenticated)
	var bound []net.Addr
	var failures []error
	for _, address := range addresses {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			failures = append(failures, fmt.Errorf("listen: %w", err))
			continue
		}
		bound = append(bound, listener.Addr())
		go acceptUntil(ctx, listener, func(conn net.Conn) {
			select {
			case waiting <- struct{}{}:
				go s.admit(ctx, conn, config, secret, func() { <-waiting })
			default:
				_ = conn.Close()
			}
		})
	}
	return bound, errors.Join(failures...)
}

// admit shakes hands and hands the connection on; one that fails is closed without a word.
func (s *Server) admit(ctx context.Context, conn net.Conn, config *tls.Config, secret []byte, admitted func()) {
	secured := tls.Server(conn, config)
	err := shakeHands(ctx, secured, secret, time.Now().Add(s.options.HandshakeTimeout))
	admitted()
	if err != nil {
		_ = conn.Close()
		return
	}
	s.offer(secured)
}

// shakeHands is the protocol's handshake, all of it before the deadline. The keying material binds the proof to this very connection: one recorded
// or relayed proves nothing on another.
func shakeHands(ctx context.Context, conn *tls.Conn, secret []byte, deadline time.Time) error {
	if err := conn.SetDeadline(deadline); err != nil {
		return fmt.Errorf("set the handshake's deadline: %w", err)
	}
	if err := conn.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("TLS: %w", err)
	}
	state := conn.ConnectionState()
	material, err := state.ExportKeyingMaterial(exporterLabel, nil, exporterBytes)
	if err != nil {
		return fmt.Errorf("keying material: %w", err)
	}
	var shown [sha256.Size]byte
	if _, err := io.ReadFull(conn, shown[:]); err != nil {
		return fmt.Errorf("read the client's proof: %w", err)
	}
	if state.NegotiatedProtocol != "h2" || !hmac.Equal(shown[:], proof(secret, clientLabel, material)) {
		return errNotAuthenticated
	}
	if _, err := conn.Write(proof(secret, serverLabel, material)); err != nil {
		return fmt.Errorf("write the helper's proof: %w", err)
	}
	return conn.SetDeadline(time.Time{})
}

func proof(secret []byte, label string, material []byte) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(label))
	mac.Write(material)
	return mac.Sum(nil)
}

// tlsConfig has a certificate of its own, made for this start: who the helper is follows from the secret, not from the certificate.
func tlsConfig() (*tls.Config, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, fmt.Errorf("make a serial number: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		NotBefore:    time.Now().Add(-24 * time.Hour),
		NotAfter:     time.Now().AddDate(10, 0, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:     []string{"berth-helper"},
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{"h2"}, SessionTicketsDisabled: true,
		Certificates: []tls.Certificate{{Certificate: [][]byte{certificate}, PrivateKey: key}},
	}, nil
}
