// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"strings"

	"github.com/daprise/daprise/mesh"
)

// labelZtunnel on a namespace hands its pods' traffic to ztunnel, which makes policies about ports other than 15008 ineffective.
const labelZtunnel = "io.cilium/mtls-enabled"

// environment reports what makes every verdict worthless: a Cilium that is not the one modelled, its settings, ztunnel.
func (j *judge) environment() []mesh.Finding {
	var findings []mesh.Finding
	if f, ok := j.cilium(); ok {
		findings = append(findings, f)
	}
	if j.carriedByZtunnel() {
		findings = append(findings, j.ztunnel())
	}
	return findings
}

func (j *judge) ztunnel() mesh.Finding {
	ns := j.c.ref.Namespace
	f := j.finding(mesh.CodeZtunnel, fmt.Sprintf("namespace %s has label %s=true: ztunnel carries the traffic of %s past network policy for its ports", ns, labelZtunnel, j.c))
	f.Fix = fmt.Sprintf("Take the label back (kubectl label namespace %s %s-): Dapr encrypts between companions by itself.", ns, labelZtunnel)
	return f
}

func (j *judge) carriedByZtunnel() bool {
	return j.view.Namespaces[j.c.ref.Namespace][labelZtunnel] == "true"
}

// judged says whether verdicts of a version are known.
func judged(version string) bool {
	_, ok := releaseOf(version)
	return ok
}

func (j *judge) cilium() (mesh.Finding, bool) {
	claim := fmt.Sprintf("coverage of %s is not claimed: ", j.c)
	switch cilium := j.view.Cilium; {
	case cilium.Version == "":
		f := j.finding(mesh.CodeCiliumSetting, claim+"the version of Cilium is unknown")
		f.Fix = "Let daprise read ConfigMap cilium-config (cilium.namespace in its configuration) or label the namespace daprise.dev/coverage=warn."
		return f, true
	case !judged(cilium.Version):
		f := j.finding(mesh.CodeCiliumSetting, claim+"Cilium "+cilium.Version+" may judge flows otherwise than "+releases+", which daprise models")
		f.Fix = "Run Cilium " + releases + " or label the namespace daprise.dev/coverage=warn."
		return f, true
	case len(cilium.Unmodelled) > 0:
		f := j.finding(mesh.CodeCiliumSetting, claim+"cilium-config has "+strings.Join(cilium.Unmodelled, ", ")+", which changes verdicts")
		f.Fix = "Take the setting back or label the namespace daprise.dev/coverage=warn."
		return f, true
	}
	return mesh.Finding{}, false
}
