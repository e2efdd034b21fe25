package main

import "berth.dev/helper/internal/tty"

// runTTY is `helper tty [--resize-fd N] -- program [argument ...]`.
func runTTY(args []string) int { return tty.Run(args) }
