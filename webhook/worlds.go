// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"context"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
)

// Source says where a World is read from.
type Source int

const (
	// Cached reads the informer caches; an implementation reads live instead where it knows a cache to be stale.
	Cached Source = iota
	// Live reads the API server.
	Live
)

// String is the name used in logs.
func (s Source) String() string {
	if s == Live {
		return "live"
	}
	return "cached"
}

// Worlds loads what one decision needs to know of the cluster. An error means that it could not be read, never that nothing is there.
// Implementations stop reading when ctx is done. The World and everything in it is shared: it is not modified by whoever gets it.
type Worlds interface {
	Load(ctx context.Context, need mesh.Need, source Source) (policy.World, error)
}
