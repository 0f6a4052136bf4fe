// SPDX-License-Identifier: Apache-2.0

package document

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// sideBySide does n things, each once, as many at a time as there are processors.
func sideBySide(n int, do func(i int)) {
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	workers.Wait()
}
