// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
)

// progress tells on a terminal what a command is at, on one line that it takes away in the end. Elsewhere it tells nothing.
type progress struct {
	// out is nil where nothing is told.
	out io.Writer
}

func progressOn(out io.Writer) progress {
	if file, ok := out.(*os.File); ok && isTerminal(file) {
		return progress{out}
	}
	return progress{}
}

// clearLine goes to the beginning of the line and empties it (ECMA-48, EL).
const clearLine = "\r\x1b[K"

func (p progress) tell(format string, values ...any) {
	if p.out != nil {
		// A terminal that cannot be written to shows nothing else, either.
		_, _ = fmt.Fprintf(p.out, clearLine+format, values...)
	}
}

func (p progress) end() { p.tell("") }
