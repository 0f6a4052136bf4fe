// SPDX-License-Identifier: Apache-2.0

package policy

import "github.com/daprise/daprise/mesh"

// World is everything a decision reads: the View and, beside it, the policies of the same moment, compiled.
type World struct {
	View *mesh.View
	Set  *Set
}
