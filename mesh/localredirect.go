// SPDX-License-Identifier: Apache-2.0

package mesh

// CheckLocalRedirect (DPR313) says of an enrolment's local redirect where it will do nothing: it acts on what pods send to a ClusterIP, and
// only where Cilium has it enabled. The findings are warnings about the object that asks for it.
func (v *View) CheckLocalRedirect(c Candidate) []Finding {
	var owner Object
	var reasons []reason
	field := annotationField(AnnotationLocalRedirect)
	switch {
	case c.Ingress != nil && c.Ingress.LocalRedirect:
		owner = c.Ingress.Owner.Object
		reasons = append(reasons, reason{
			field, "the gateway does not pass through a local redirect: its requests are not kept on their node, only those that pods send to the companion",
			"Remove the annotation, unless pods call the ingress companion.",
		})
	case c.App != nil && c.App.LocalRedirect:
		owner = c.App.Owner.Object
		if !c.App.DaprAPI {
			reasons = append(reasons, reason{field, "there is nothing to redirect: by " + AnnotationDaprAPI + " the app's pods do not use Dapr's API", "Remove one of the two annotations."})
		}
	default:
		return nil
	}
	if !v.Cilium.LocalRedirects {
		reasons = append(reasons, reason{
			field, `ConfigMap cilium-config does not say enable-local-redirect-policy: "true", without which Cilium ignores local redirects`,
			"Enable local redirect policies in Cilium, or remove the annotation.",
		})
	}
	var findings []Finding
	for _, r := range reasons {
		findings = append(findings, Finding{Code: CodeLocalRedirect, Severity: Warn, Object: owner, Field: r.field, Message: r.message, Fix: r.fix})
	}
	return findings
}
