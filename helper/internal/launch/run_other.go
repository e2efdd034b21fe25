//go:build !linux

package launch

import (
	"fmt"
	"os"
)

// Run says that only Linux has the namespaces it works in.
func Run([]string) int {
	fmt.Fprintln(os.Stderr, "helper launch: only on Linux")
	return 125
}
