package main

import (
	"os"

	"berth.dev/helper/internal/launch"
)

// runLaunch is `helper launch`, which takes all it needs from its environment.
func runLaunch([]string) int { return launch.Run(os.Environ()) }
