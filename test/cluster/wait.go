// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"testing"
	"time"
)

const (
	// settle is ample for what a cluster that runs on two busy cores does by itself.
	settle = 2 * time.Minute
	// Poll is how often a test looks again.
	Poll = 50 * time.Millisecond
)

// Eventually waits until check returns nil, at most two minutes, and fails the test with its last error.
func Eventually(t *testing.T, check func() error) {
	t.Helper()
	deadline := time.Now().Add(settle)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %v", settle, err)
		}
		time.Sleep(Poll)
	}
}
