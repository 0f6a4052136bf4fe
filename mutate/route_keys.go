// SPDX-License-Identifier: Apache-2.0

package mutate

import (
	"fmt"

	"github.com/daprise/daprise/mesh"
)

// checkKeys refuses values of our annotations that mean nothing.
func (m *mutation) checkKeys() []mesh.Finding {
	var findings []mesh.Finding
	for _, key := range []struct {
		name    string
		allowed []string
	}{
		{mesh.AnnotationEnabled, []string{"true", "false"}},
		{mesh.AnnotationInvoke, []string{string(mesh.InvokePrefix), string(mesh.InvokeHeader)}},
	} {
		value, ok := m.route.Metadata.Annotations[key.name]
		if !ok || value == key.allowed[0] || value == key.allowed[1] {
			continue
		}
		f := m.finding(mesh.CodeBadValue, "metadata.annotations["+key.name+"]",
			fmt.Sprintf("%q is not a value of this annotation", value),
			fmt.Sprintf("Use %q or %q, or remove the annotation.", key.allowed[0], key.allowed[1]))
		f.Invalid = true
		findings = append(findings, *f)
	}
	return findings
}
