package execution

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const maxSpecBytes = 1 << 20

// specHeader says how many bytes of the body are the spec; the rest is input.
const specHeader = "berth-spec-bytes"

// spec is what to run, as the client writes it.
type spec struct {
	Argv             []string          `json:"argv"`
	Cwd              string            `json:"cwd"`
	Env              map[string]string `json:"env"`
	TimeoutMS        int64             `json:"timeout_ms"`         // 0: none
	OutputLimitBytes int64             `json:"output_limit_bytes"` // of each of stdout and stderr; 0: none
	Stdin            bool              `json:"stdin"`
}

func (s *spec) timeout() time.Duration { return time.Duration(s.TimeoutMS) * time.Millisecond }

// readSpec takes the spec off a request's body and leaves the input in it.
func readSpec(r *http.Request) (*spec, error) {
	content, err := specBytes(r)
	if err != nil {
		return nil, err
	}
	var s spec
	if err := json.Unmarshal(content, &s); err != nil {
		return nil, fmt.Errorf("the spec is no JSON of the right shape: %w", err)
	}
	return &s, s.check()
}

func specBytes(r *http.Request) ([]byte, error) {
	header := r.Header.Get(specHeader)
	if header == "" {
		content, err := io.ReadAll(io.LimitReader(r.Body, maxSpecBytes+1))
		if err != nil {
			return nil, fmt.Errorf("read the spec: %w", err)
		}
		if len(content) > maxSpecBytes {
			return nil, errSpecTooLarge
		}
		return content, nil
	}
	length, err := strconv.ParseUint(header, 10, 31)
	if err != nil {
		return nil, fmt.Errorf("the header %s is no number", specHeader)
	}
	if length > maxSpecBytes {
		return nil, errSpecTooLarge
	}
	// Grown as bytes arrive: a claimed length allocates nothing.
	var content bytes.Buffer
	if _, err := io.CopyN(&content, r.Body, int64(length)); err != nil {
		return nil, fmt.Errorf("the body is shorter than its spec: %w", err)
	}
	return content.Bytes(), nil
}

func (s *spec) check() error {
	if len(s.Argv) == 0 {
		return errors.New("argv is empty")
	}
	for _, argument := range s.Argv {
		if strings.ContainsRune(argument, 0) {
			return errors.New("argv holds a NUL")
		}
	}
	if strings.ContainsRune(s.Cwd, 0) {
		return errors.New("cwd holds a NUL")
	}
	for name, value := range s.Env {
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.ContainsRune(value, 0) {
			return fmt.Errorf("env holds a variable that cannot be: %q", name)
		}
	}
	if s.TimeoutMS < 0 || s.TimeoutMS > int64(1<<62)/int64(time.Millisecond) || s.OutputLimitBytes < 0 {
		return errors.New("a limit is out of range")
	}
	return nil
}

// offsets are how much of each stream a client has.
type offsets struct{ stdout, stderr int64 }

func readOffsets(query url.Values) (at offsets, err error) {
	for name, into := range map[string]*int64{"stdout": &at.stdout, "stderr": &at.stderr} {
		if value := query.Get(name); value != "" {
			if *into, err = strconv.ParseInt(value, 10, 64); err != nil || *into < 0 {
				return at, fmt.Errorf("%s=%q is no offset", name, value)
			}
		}
	}
	return at, nil
}
