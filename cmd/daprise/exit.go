// SPDX-License-Identifier: Apache-2.0

package main

import "errors"

// Exit statuses (contract: "CLI shapes").
const (
	// exitFindings says that something was found, or that a flow is not allowed.
	exitFindings = 1
	// exitUsage is for a command line that cannot be understood, or input that cannot be read.
	exitUsage = 2
)

var errFound = errors.New("findings")

// exit is an error with a status. What it is about has been told already.
type exit struct {
	status int
	err    error
}

// Error implements error.
func (e *exit) Error() string { return e.err.Error() }

// Unwrap gives the reason.
func (e *exit) Unwrap() error { return e.err }

// statusOf is the exit status of what a command returned, and whether its message is still to be written.
func statusOf(err error) (status int, silent bool) {
	if err == nil {
		return 0, true
	}
	if e := new(exit); errors.As(err, &e) {
		return e.status, true
	}
	return exitUsage, false
}
