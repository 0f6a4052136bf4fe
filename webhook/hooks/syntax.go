// SPDX-License-Identifier: Apache-2.0

package hooks

import (
	"fmt"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daprise/daprise/mesh"
)

// SyntaxName is the name of the policy on the syntax of annotations, and of its binding.
const SyntaxName = "daprise-syntax"

// grammar is the syntax of one key's values, as a regular expression of the whole value. It refuses nothing that admission by the webhook
// would let through; what no regular expression can say, a caller named twice, is left to the webhook.
type grammar struct {
	key     string
	kinds   []string
	pattern string
	allowed string
}

const (
	patternAppID     = "[a-z]([-a-z0-9]{0,52}[a-z0-9])?"
	patternNamespace = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
)

func grammars() []grammar {
	apps := []string{mesh.KindService, mesh.KindDeployment}
	enrolled := []string{mesh.KindService, mesh.KindDeployment, mesh.KindGateway}
	all := []string{mesh.KindService, mesh.KindDeployment, mesh.KindGateway, mesh.KindHTTPRoute, mesh.KindGRPCRoute}
	caller := " *" + patternAppID + "([.]" + patternNamespace + ")? *"
	return []grammar{
		{mesh.AnnotationEnabled, enrolled, "true|false", `"true" or "false"`},
		{mesh.AnnotationEnabled, []string{mesh.KindHTTPRoute, mesh.KindGRPCRoute}, "false", `"false": a route can only opt out`},
		{mesh.AnnotationStrategy, enrolled, "deployment|daemonset", `"deployment" or "daemonset"`},
		{mesh.AnnotationReplicas, enrolled, "[0-9]{1,4}", "a whole number"},
		{mesh.AnnotationLocalRedirect, enrolled, "true|false", `"true" or "false"`},
		{mesh.AnnotationService, []string{mesh.KindDeployment}, patternNamespace, "the name of a Service"},
		{mesh.AnnotationCallers, apps, caller + "(," + caller + ")*", "app-id or app-id.namespace, with commas between"},
		{mesh.AnnotationDaprAPI, apps, "true|false", `"true" or "false"`},
		{mesh.AnnotationInvoke, []string{mesh.KindGateway, mesh.KindHTTPRoute}, "prefix|header", `"prefix" or "header"`},
		{mesh.AnnotationSuppress, all, "(?s).+", "DPR###=reason until YYYY-MM-DD, with semicolons between"},
	}
}

// Syntax is a policy that refuses what is malformed in daprise's annotations, evaluated by the API server itself: also while no replica
// answers, and where a hook was made to fail open. It is optional, since the webhook says the same and more. What was malformed before is
// not refused again.
func Syntax(o Options) (*admissionregistrationv1.ValidatingAdmissionPolicy, *admissionregistrationv1.ValidatingAdmissionPolicyBinding) {
	policy := admissionPolicy(SyntaxName)
	policy.Spec.MatchConstraints.NamespaceSelector = namespaceSelector(o.ExemptNamespaces)
	policy.Spec.MatchConstraints.ResourceRules = []admissionregistrationv1.NamedRuleWithOperations{
		named(rule("", "v1", changes(), "services")),
		named(rule("apps", "v1", changes(), "deployments")),
		named(rule("gateway.networking.k8s.io", "v1", changes(), "gateways", "httproutes", "grpcroutes")),
	}
	policy.Spec.MatchConditions = []admissionregistrationv1.MatchCondition{
		{Name: "has-annotations", Expression: "has(object.metadata.annotations) && !has(object.metadata.deletionTimestamp)"},
		{Name: "annotations-differ", Expression: "oldObject == null || object.metadata.annotations != oldObject.metadata.?annotations.orValue({})"},
	}
	policy.Spec.Variables = []admissionregistrationv1.Variable{
		{Name: "ours", Expression: "object.metadata.annotations.filter(key, key.startsWith('" + mesh.Prefix + "'))"},
		{Name: "known", Expression: knownKeys() + "[request.kind.kind]"},
		{Name: "unknown", Expression: "variables.ours.filter(key, !(key in variables.known))"},
	}
	policy.Spec.Validations = append(policy.Spec.Validations, admissionregistrationv1.Validation{
		Expression: "variables.unknown.size() == 0",
		Message:    "an annotation of daprise is unknown here [" + string(mesh.CodeUnknownKey) + "]",
		MessageExpression: "'metadata.annotations[' + variables.unknown[0] + ']: no such key is known on a ' + request.kind.kind + '. Correct the key or remove the annotation; known are ' + " +
			"variables.known.join(', ') + '. [" + string(mesh.CodeUnknownKey) + "]'",
		Reason: new(metav1.StatusReasonInvalid),
	})
	for _, g := range grammars() {
		policy.Spec.Validations = append(policy.Spec.Validations, g.validation())
	}
	return policy, binding(SyntaxName)
}

func (g grammar) validation() admissionregistrationv1.Validation {
	value := "object.metadata.annotations['" + g.key + "']"
	return admissionregistrationv1.Validation{
		Expression: fmt.Sprintf("!('%s' in variables.ours) || !(request.kind.kind in %s) || %s.matches('^(%s)$')", g.key, list(g.kinds), value, g.pattern),
		Message: fmt.Sprintf("metadata.annotations[%s]: the value is not %s. Correct it or remove the annotation. [%s]",
			g.key, g.allowed, mesh.CodeBadValue),
		Reason: new(metav1.StatusReasonInvalid),
	}
}

// knownKeys is a CEL map from kinds to the keys that mean something on them. What daprise writes on routes is among them.
func knownKeys() string {
	kinds := []string{mesh.KindService, mesh.KindDeployment, mesh.KindGateway, mesh.KindHTTPRoute, mesh.KindGRPCRoute}
	entries := make([]string, 0, len(kinds))
	for _, kind := range kinds {
		var keys []string
		for _, g := range grammars() {
			for _, k := range g.kinds {
				if k == kind {
					keys = append(keys, g.key)
				}
			}
		}
		if kind == mesh.KindHTTPRoute || kind == mesh.KindGRPCRoute {
			keys = append(keys, mesh.AnnotationOriginal, mesh.AnnotationRevision)
		}
		entries = append(entries, "'"+kind+"': "+list(keys))
	}
	return "{" + strings.Join(entries, ", ") + "}"
}
