// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"maps"
	"sync"

	"github.com/daprise/daprise/mesh"
)

// taken are the names of objects that somebody else has: what would make an object of such a name is refused by the API server, but only
// after admission has seen it as an update of the other's object, so that it is not sent again and again.
type taken struct {
	mu    sync.Mutex
	names map[mesh.Object]bool
}

func newTaken() *taken { return &taken{names: map[mesh.Object]bool{}} }

// is says that a name was somebody else's when it was last looked at.
func (t *taken) is(name mesh.Object) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.names[name]
}

// note is told that a look at a name has found somebody else's object.
func (t *taken) note(name mesh.Object) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.names[name] = true
}

// free is told that a look at a name has found no such object.
func (t *taken) free(name mesh.Object) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.names, name)
}

// forget drops the names of a namespace that is gone.
func (t *taken) forget(namespace string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	maps.DeleteFunc(t.names, func(name mesh.Object, _ bool) bool { return name.Namespace == namespace })
}
