// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"

	"github.com/daprise/daprise/mesh"
)

// holders reports pods that carry the companion's guarded label and are not of its workload: network policy takes them for the companion,
// wherever it may go. The guard lets nobody set the label, so that these are older than the guard.
func (j *judge) holders() []mesh.Finding {
	var findings []mesh.Finding
	for _, pods := range j.view.PodsOf(j.c.ref.Namespace, map[string]string{mesh.LabelCompanion: j.c.ref.ID}) {
		if pods.Companion == j.c.ref.ID {
			continue
		}
		f := j.finding(mesh.CodeLabelHolder, fmt.Sprintf("pod %s/%s carries the label %s=%s and is not of daprise's workload: network policy takes it for %s",
			pods.Namespace, pods.Name, mesh.LabelCompanion, j.c.ref.ID, j.c))
		f.Fix = fmt.Sprintf("Delete the pod, or take the label from it (kubectl label pod %s -n %s %s-), and from the template that it is made from.",
			pods.Name, pods.Namespace, mesh.LabelCompanion)
		findings = append(findings, f)
	}
	return findings
}
