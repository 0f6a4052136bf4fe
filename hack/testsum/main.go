// SPDX-License-Identifier: Apache-2.0

// Command testsum reads the output of go test -json from standard input. It
// prints a line per package and the output of what failed, in full, and ends
// with the line 'N passed, N failed, N skipped'. It exits with 1 if anything
// failed, no test ran, or the input breaks off.
package main

import (
	"fmt"
	"os"
)

func main() {
	sum := newSummary(os.Stdout)
	err := sum.read(os.Stdin)
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "testsum:", err)
	}
	if !sum.finish() || err != nil {
		os.Exit(1)
	}
}
