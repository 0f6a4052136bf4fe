// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"context"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
)

// Worlds loads what one decision needs to know of the cluster. An error means that it could not be read, never that nothing is there.
// All stop reading when ctx is done. The World and everything in it is shared: it is not modified by whoever gets it.
type Worlds interface {
	// Load reads the informer caches, and the API server where the implementation knows a cache to be incomplete or stale.
	Load(ctx context.Context, need mesh.Need) (policy.World, error)
	// LoadLive reads the API server, for a write of a namespace, which is "" where the object is in none. The writes of one namespace may have to
	// wait for each other.
	LoadLive(ctx context.Context, namespace string, need mesh.Need) (policy.World, error)
	// Unseen says whether the API server has an enrolment that a route's need names and a View does not know. Where it has none, the View is
	// as good as one that is loaded live, which costs the API server more.
	Unseen(ctx context.Context, need mesh.Need, view *mesh.View) (bool, error)
}
