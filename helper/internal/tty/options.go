package tty

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// MaxSize is the most columns or rows a terminal has.
const MaxSize = 1000

// options are the arguments of the subcommand.
type options struct {
	resizeFD int // -1: none
	argv     []string
}

func parseOptions(args []string) (options, error) {
	flags := flag.NewFlagSet("tty", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	resizeFD := flags.Int("resize-fd", -1, "")
	if err := flags.Parse(args); err != nil {
		return options{}, fmt.Errorf("usage: helper tty [--resize-fd N] -- program [argument ...]: %w", err)
	}
	if flags.NArg() == 0 {
		return options{}, errors.New("usage: helper tty [--resize-fd N] -- program [argument ...]")
	}
	if *resizeFD >= 0 && *resizeFD <= 2 {
		return options{}, errors.New("--resize-fd: 0, 1 and 2 are the terminal's own")
	}
	return options{resizeFD: *resizeFD, argv: flags.Args()}, nil
}

// parseSize reads `COLS ROWS`, each of 1..1000.
func parseSize(line string) (cols, rows int, ok bool) {
	first, second, found := strings.Cut(strings.TrimSpace(line), " ")
	if !found {
		return 0, 0, false
	}
	cols, errCols := strconv.Atoi(first)
	rows, errRows := strconv.Atoi(second)
	ok = errCols == nil && errRows == nil && cols >= 1 && cols <= MaxSize && rows >= 1 && rows <= MaxSize
	return cols, rows, ok
}
