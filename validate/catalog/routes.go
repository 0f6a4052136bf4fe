// SPDX-License-Identifier: Apache-2.0

package catalog

import "github.com/daprise/daprise/mesh"

// routeMeaningRules are about what a route says.
func routeMeaningRules() []Rule {
	return []Rule{
		{
			Code:     mesh.CodeMixedBackends,
			Title:    "Enrolled and plain backends in one rule",
			Severity: mesh.Deny,
			Means:    "A rule divides its requests between an app of the mesh and a Service that is not in it.",
			Why:      "Requests to the app go to the ingress companion with another path than those to the plain Service need, and a rule has one path for all.",
			Example:  `HTTPRoute default/whoami-route refused: spec.rules[0].backendRefs[1]: Service default/legacy is not in the mesh, and app "whoami.default" beside it in the rule is. Give each a rule of its own, or divide the requests behind the app's companion: an HTTPRoute with the app's Service as parentRef and the weighted Services as backendRefs. [DPR201]`,
			Mend:     "Divide behind the companion, with an HTTPRoute that has the app's Service as parentRef (GAMMA); see examples/whoami.",
		},
		{
			Code:     mesh.CodeMixedParents,
			Title:    "Gateway and Service parents",
			Severity: mesh.Deny,
			Means:    "One route is attached to an enrolled Gateway and to a Service.",
			Why:      "The same rules serve both. Rewritten for the Gateway, they would send the Service's own traffic to the ingress companion, in a circle.",
			Example:  `HTTPRoute default/whoami-route refused: spec.parentRefs: Gateway default/default-gateway and Service default/whoami are both parents, and rules rewritten for the Gateway would send the Service's own traffic to the ingress companion. Write two routes, one for each kind of parent. [DPR202]`,
			Mend:     "Write two routes, one for each kind of parent.",
		},
		{
			Code:     mesh.CodeBackendPort,
			Title:    "Backend port is not the app's",
			Severity: mesh.Deny,
			Means:    "The rule names a port of the Service other than the one on which the companion calls the app.",
			Why:      "A companion calls one port. The request would arrive somewhere else than the route says.",
			Example:  `HTTPRoute default/whoami-route refused: spec.rules[0].backendRefs[0].port: app "whoami.default" is called on port 80, and the backendRef names port 8080. Use port 80, or name another port of the Service with the annotation dapr.io/app-port on the enrolled object. [DPR203]`,
			Mend:     "Use the app's port in backendRefs, or change it with dapr.io/app-port.",
		},
		{
			Code:     mesh.CodeDaprHeaders,
			Title:    "Modifier touches Dapr's headers",
			Severity: mesh.Deny,
			Means:    "A RequestHeaderModifier sets, adds or removes a header from which Dapr takes its target, its caller or its permission.",
			Why:      "With such a header a request could go to another app than the rule says, or pretend to come from another caller.",
			Example:  `HTTPRoute default/whoami-route refused: spec.rules[0].filters[0].requestHeaderModifier.set[0]: header "Dapr-App-ID" is one by which Dapr takes its target, its caller or its permission; the mesh alone sets or removes it. Leave it out of the modifier. [DPR204]`,
			Mend:     "Leave the header out. The mesh sets and removes these itself.",
		},
	}
}

// routeReferenceRules are about what a route refers to, and how much of it.
func routeReferenceRules() []Rule {
	return []Rule{
		{
			Code:     mesh.CodeIgnoredFilter,
			Title:    "Filter that Cilium ignores",
			Severity: mesh.Deny,
			Means:    "The rule has a filter that Cilium accepts and ignores in silence: an ExtensionRef, or a URLRewrite on a backendRef.",
			Why:      "The route would not do what it says, and nobody would be told.",
			Example:  `HTTPRoute default/whoami-route refused: spec.rules[0].backendRefs[0].filters[0]: Cilium ignores a URLRewrite on a backendRef of an HTTPRoute. Move it to the filters of the rule. [DPR205]`,
			Mend:     "Move the filter to the rule, or leave it out.",
		},
		{
			Code:     mesh.CodeGrantMissing,
			Title:    "ReferenceGrant is missing",
			Severity: mesh.Deny,
			Means:    "The route refers to a Service of another namespace, its app's or the ingress companion's, and no ReferenceGrant there allows that.",
			Why:      "A rewritten rule names the companion instead of the app. Without this check it would open what the app's namespace never granted.",
			Example:  `HTTPRoute shop/whoami-route refused: spec.rules[0].backendRefs: Service default/whoami is in another namespace, and no ReferenceGrant there lets an HTTPRoute of namespace shop refer to it. Ask its owner to apply the ReferenceGrant below. [DPR207]`,
			Mend:     "Ask the owner of that namespace to apply the ReferenceGrant that the refusal prints.",
		},
		{
			Code:     mesh.CodeCompanionService,
			Title:    "Names a companion's Service",
			Severity: mesh.Deny,
			Means:    "A rule or a mirror sends traffic to a Service that belongs to a companion, and it is neither our own rewrite nor one written by hand in Dapr's form for one enrolled app.",
			Why:      "It would be a way around every check: to another app, to the companion's own API, or without the headers being removed.",
			Example:  `HTTPRoute default/whoami-route refused: spec.rules[0].backendRefs[0]: the rule names Service default/whoami-dapr, which belongs to a companion, and only the companions of Gateways take requests from routes. Name the app's own Service in backendRefs: the way through its companion is written for you. [DPR208]`,
			Mend:     "Name the app's own Service.",
		},
		{
			Code:     mesh.CodeTooLarge,
			Title:    "Route is too large",
			Severity: mesh.Deny,
			Means:    "The record of the route's own rules, which is kept on it as an annotation, would be over 128 KiB.",
			Why:      "All annotations of an object share 256 KiB. Without the record the route could not be given back as it was.",
			Example:  `HTTPRoute default/whoami-route refused: metadata.annotations[daprise.dev/original]: the record of the original rules would have 166725 bytes, over 131072. Divide the rules between two routes. [DPR209]`,
			Mend:     "Divide the rules between two routes.",
		},
		{
			Code:     mesh.CodeUnsupportedRule,
			Title:    "Rule cannot be rewritten",
			Severity: mesh.Deny,
			Means:    "The rule is valid, and a rewrite through the companions with exactly the same meaning is not known.",
			Why:      "A rule that is passed through half right is worse than one that is refused.",
			Example:  `HTTPRoute default/whoami-route refused: spec.parentRefs: Gateways default/default-gateway and default/second-gateway are both enrolled, and a rule can go through the companion of one only. Write one route for each Gateway. [DPR213]`,
			Mend:     "Write the rule as the refusal says, or keep the route outside the mesh: kubectl annotate httproute NAME daprise.dev/enabled=false",
		},
	}
}

// routeFormRules are about the way that a route takes through the companions.
func routeFormRules() []Rule {
	return []Rule{
		{
			Code:     mesh.CodeHeaderForm,
			Title:    "Header form is used",
			Severity: mesh.Warn,
			Means:    "A rule invokes its app by the header dapr-app-id instead of a path prefix, since the prefix form cannot express it.",
			Why:      "Both forms mean the same to the app. It is said because the stored rule looks different from its neighbours. The copies that a RequestMirror sends carry the header too: its target learns the app ID and nothing else.",
			Example:  `HTTPRoute default/whoami-route admitted with a warning: spec.rules[0]: rule 0 to app "whoami.default" is in header form, since prefix form cannot express the match of path type RegularExpression. Nothing has to be done; annotate the route daprise.dev/invoke=header to have all its rules in one form. [DPR206]`,
			Mend:     "Nothing has to be done.",
		},
		{
			Code:     mesh.CodeDaprCannotCarry,
			Title:    "Dapr cannot carry it",
			Severity: mesh.Warn,
			Means:    "The rule depends on something that does not pass through Dapr unchanged: the host name, a trailing or double slash, an encoded # or ?, an upgrade to WebSocket.",
			Why:      "The app behind its companion sees the request differently, or not at all.",
			Example:  `HTTPRoute default/whoami-route admitted with a warning: spec.rules[0].matches[0].path.value: rule 0 to app "whoami.default" depends on the trailing slash of the path, which Dapr does not carry. See that the app does without, or annotate the route daprise.dev/enabled=false to keep it outside the mesh. [DPR210]`,
			Mend:     "See that the app does without, or keep the route outside the mesh: kubectl annotate httproute NAME daprise.dev/enabled=false",
		},
		{
			Code:     mesh.CodePrefixRetarget,
			Title:    "Prefix form can be aimed elsewhere",
			Severity: mesh.Warn,
			Means:    "The rule is in prefix form, and its ingress companion can reach more than one app. In namespaces of mode strict this refuses.",
			Why:      "Dapr also reads a target from an Authorization header of the form Basic dapr-app-id:APP. A client can use it to reach another app that network policy lets the companion reach.",
			Example:  `HTTPRoute default/whoami-route refused: metadata.annotations[daprise.dev/invoke]: a client can aim a rule in prefix form at another app by an Authorization header, and a namespace of mode strict is concerned. Remove the annotation or set it to "header". [DPR211]`,
			Mend:     "kubectl annotate httproute NAME daprise.dev/invoke=header",
		},
		{
			Code:     mesh.CodeJoining,
			Title:    "Route is joining the mesh",
			Severity: mesh.Warn,
			Means:    "The route still goes straight to its app, because the companions on its way are not ready. It is rewritten when they are.",
			Why:      "A route that is in use must not lose a request by joining.",
			Example:  `HTTPRoute default/whoami-route admitted with a warning: spec.rules: Joining: rules go straight to Service default/whoami until the companions of app whoami.default and Gateway default/default-gateway can take requests. Wait: they are rewritten then. The conditions of the enrolled objects say what is missing. [DPR212]`,
			Mend:     "Wait. If it stays so, look at the condition Companion of the Service and the Gateway: kubectl describe service NAME",
		},
	}
}
