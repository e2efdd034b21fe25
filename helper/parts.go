package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"berth.dev/helper/internal/execution"
	"berth.dev/helper/internal/files"
	"berth.dev/helper/internal/job"
	"berth.dev/helper/internal/process"
	"berth.dev/helper/internal/regular"
	"berth.dev/helper/internal/server"
	"berth.dev/helper/internal/stats"
	"berth.dev/helper/internal/tcp"
	"berth.dev/helper/internal/terminal"
)

const (
	// endGrace and endBound keep the end below a second: the pod's grace period is for the commands before the end, not for the helper.
	endGrace = 150 * time.Millisecond
	endBound = 600 * time.Millisecond
)

// parts are what answers requests.
type parts struct {
	dir       string
	table     *process.Table
	server    *server.Server
	terminals *terminal.Registry
	jobs      *job.Registry
	logger    *log.Logger
}

// newParts wires the packages; each registers its own routes.
func newParts(dir string, logger *log.Logger) (*parts, error) {
	number, err := protocolNumber(os.Getenv("BERTH_HELPER_PROTOCOL"))
	if err != nil {
		return nil, err
	}
	table := process.NewTable(process.WithOOMFile(filepath.Join(dir, "oom_kills")))
	jobs := job.New(job.Options{Dir: dir, Table: table, Log: logger})
	s := server.New(server.Options{Protocol: number, Version: version, Log: logger})
	terminals := terminal.New(terminal.Options{Dir: dir, Table: table, Activity: s.Touch})
	executions := execution.New(table)
	executions.Routes(s.Mux())
	terminals.Routes(s.Mux())
	jobs.Routes(s.Mux())
	files.New(files.Options{HelperDir: dir}).Routes(s.Mux())
	tcp.New(tcp.Hosts(os.Getenv)).Routes(s.Mux())
	stats.New(stats.Options{
		Executions: executions.Running, Terminals: terminals.Count, Jobs: jobs.Count, Connections: s.Connections,
		DiskBytes:    func() int64 { return terminals.DiskBytes() + jobs.DiskBytes() },
		LastActivity: s.LastActivity, OOMKills: table.OOMKills,
	}).Routes(s.Mux())
	return &parts{dir: dir, table: table, server: s, terminals: terminals, jobs: jobs, logger: logger}, nil
}

// protocolNumber is the one that is spoken; tests make a helper claim another.
func protocolNumber(override string) (int, error) {
	if override == "" {
		return protocol, nil
	}
	number, err := strconv.Atoi(override)
	if err != nil {
		return 0, fmt.Errorf("BERTH_HELPER_PROTOCOL: %w", err)
	}
	return number, nil
}

// listen opens the socket, and TCP where there is a secret. A secret that cannot be read and an address that cannot be bound are logged:
// the socket still leads here.
func (p *parts) listen(ctx context.Context, addresses []string) error {
	if err := p.server.ListenSocket(ctx, filepath.Join(p.dir, "run", "helper.sock")); err != nil {
		return err
	}
	if err := p.server.ListenStdio(ctx, filepath.Join(p.dir, "run", "stdio.sock")); err != nil {
		return err
	}
	if len(addresses) == 0 {
		return nil
	}
	secret, err := regular.ReadFollowing(filepath.Join(p.dir, "secret", "helper"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		p.logger.Printf("read the secret: %v", err)
		return nil
	}
	bound, err := p.server.ListenTLS(ctx, addresses, secret)
	if err != nil {
		p.logger.Print(err)
	}
	for _, address := range bound {
		p.logger.Printf("listens on %v", address)
	}
	return nil
}

// end ends every process that was ever started, whether or not a pid namespace would do it, within a second. The connections come first:
// nobody is to be told that a command has ended by itself. Then jobs and terminals: why they end is theirs to note.
func (p *parts) end() {
	_ = p.server.Close()
	ctx, cancel := context.WithTimeout(context.Background(), endGrace)
	defer cancel()
	var group sync.WaitGroup
	group.Go(func() { p.jobs.Close(ctx) })
	group.Go(func() { p.terminals.Close(ctx) })
	group.Wait()
	bound, cancelBound := context.WithTimeout(context.Background(), endBound)
	defer cancelBound()
	done := make(chan struct{})
	go func() {
		p.table.EndAll(bound, endGrace)
		// Their results are on the disk when this returns.
		p.jobs.Close(bound)
		close(done)
	}()
	select {
	case <-done:
	case <-bound.Done():
	}
}
