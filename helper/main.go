// Command helper is Berth's process in a session's pod; PROTOCOL.md says what it speaks.
package main

import (
	"fmt"
	"os"
)

// version is the helper's own; the protocol has a number of its own.
const version = "0.1.0"

const usage = `usage:
  helper serve [--listen address:port,...] [-- program argument...]
  helper connect
  helper install FOLDER
  helper tty [--resize-fd N] -- program argument...
  helper launch
  helper version
`

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	if len(args) == 0 {
		args = []string{"help"}
	}
	switch args[0] {
	case "serve":
		return runServe(args[1:])
	case "connect":
		return runConnect(args[1:])
	case "install":
		return runInstall(args[1:])
	case "tty":
		return runTTY(args[1:])
	case "launch":
		return runLaunch(args[1:])
	case "version":
		fmt.Println(version)
		return 0
	default:
		fmt.Fprint(os.Stderr, usage)
		return 2
	}
}

// folder is where the helper keeps what is its own, and where its socket and its secret are.
func folder() string {
	if dir := os.Getenv("BERTH_DIR"); dir != "" {
		return dir
	}
	return "/berth"
}
