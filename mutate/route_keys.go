// SPDX-License-Identifier: Apache-2.0

package mutate

import (
	"maps"
	"strings"

	"github.com/daprise/daprise/mesh"
)

// checkKeys refuses unknown keys of ours and values that mean nothing. An update that leaves our annotations as they were is not
// refused: they warn, and mean nothing.
func (m *mutation) checkKeys() []mesh.Finding {
	own := userKeys(m.route)
	if len(own) == 0 {
		return nil
	}
	findings := mesh.CheckRouteAnnotations(m.object, own, m.view.Config)
	if m.old != nil && maps.Equal(own, userKeys(m.old)) {
		for i := range findings {
			findings[i].Severity = mesh.Warn
		}
	}
	return findings
}

// userKeys are the annotations of ours that users set, or nil.
func userKeys(r *route) map[string]string {
	var keys map[string]string
	for key, value := range r.Metadata.Annotations {
		if !strings.HasPrefix(key, mesh.Prefix) || key == mesh.AnnotationOriginal || key == mesh.AnnotationRevision {
			continue
		}
		if keys == nil {
			keys = make(map[string]string)
		}
		keys[key] = value
	}
	return keys
}
