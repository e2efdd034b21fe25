package job

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	// maxOutput is what each of stdout and stderr may hold, in bytes.
	maxOutput = 1 << 30
	maxStdin  = 1 << 20
)

// request is the body of PUT /jobs/{id}.
type request struct {
	Argv             []string          `json:"argv"`
	Cwd              string            `json:"cwd"`
	Env              map[string]string `json:"env"`
	StdinBase64      string            `json:"stdin_base64"`
	DeadlineMS       int64             `json:"deadline_ms"`
	OutputLimitBytes int64             `json:"output_limit_bytes"`
}

// spec is a request that can be carried out.
type spec struct {
	argv        []string
	cwd         string
	env         map[string]string
	stdin       []byte
	deadline    time.Duration // 0: none
	outputLimit int64
}

// check answers what to do, or what is wrong with the request.
func (r request) check() (spec, error) {
	if len(r.Argv) == 0 || r.Argv[0] == "" {
		return spec{}, errors.New("argv: the program is missing")
	}
	for name := range r.Env {
		if name == "" || strings.ContainsAny(name, "=\x00") {
			return spec{}, fmt.Errorf("env: %q is no name", name)
		}
	}
	stdin, err := base64.StdEncoding.DecodeString(r.StdinBase64)
	if err != nil {
		return spec{}, fmt.Errorf("stdin_base64: %w", err)
	}
	if len(stdin) > maxStdin {
		return spec{}, fmt.Errorf("stdin_base64: at most %d bytes", maxStdin)
	}
	// A time.Duration counts nanoseconds in 64 bits: some 292 years.
	if r.DeadlineMS < 0 || r.DeadlineMS > int64(1<<63-1)/int64(time.Millisecond) {
		return spec{}, errors.New("deadline_ms: out of range")
	}
	if r.OutputLimitBytes < 0 || r.OutputLimitBytes > maxOutput {
		return spec{}, fmt.Errorf("output_limit_bytes: at most %d", maxOutput)
	}
	limit := r.OutputLimitBytes
	if limit == 0 {
		limit = maxOutput
	}
	return spec{
		argv: r.Argv, cwd: r.Cwd, env: r.Env, stdin: stdin,
		deadline: time.Duration(r.DeadlineMS) * time.Millisecond, outputLimit: limit,
	}, nil
}
