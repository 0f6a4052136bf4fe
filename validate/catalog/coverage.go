// SPDX-License-Identifier: Apache-2.0

package catalog

import "github.com/daprise/daprise/mesh"

// coverageRules are about who may reach a companion.
func coverageRules() []Rule {
	return []Rule{
		{
			Code:     mesh.CodeNotIsolated,
			Title:    "Companion is not isolated",
			Severity: mesh.Deny,
			Means:    "No network policy puts the companion's pods under default deny for ingress, so every pod of the cluster may reach their Dapr ports.",
			Why:      "Whoever reaches a companion's 3500 or 50001 speaks with its identity, and whoever reaches 50002 can try to call the app. The gateway would be one way in of many.",
			Example:  `Service default/whoami refused: companion "whoami" (default) is open on 50002/TCP: any pod may reach it, since no policy selects it. Apply the policy below or label the namespace daprise.dev/coverage=warn. [DPR101]`,
			Mend:     "Apply the CiliumNetworkPolicy that the refusal prints, or let daprise write it: label the namespace daprise.dev/policies=generate.",
		},
		{
			Code:     mesh.CodeFlowDenied,
			Title:    "A needed flow is denied",
			Severity: mesh.Deny,
			Means:    "A flow that the mesh needs (the gateway to the ingress companion, an ingress companion or a caller to an app's companion) is not allowed at one of its two ends.",
			Why:      "Requests would run into a timeout, or a 403 of the gateway, as soon as the route is in force.",
			Example:  `Service default/whoami refused: ingress companion "ingress" (default) may not reach companion "whoami" (default) on 50002/TCP: spec.ingressDeny[0] of CiliumNetworkPolicy default/quarantine denies it. Narrow that rule or empty it (kubectl patch ciliumnetworkpolicy quarantine -n default --type=json -p='[{"op":"replace","path":"/spec/ingressDeny/0","value":{}}]'). [DPR102]`,
			Mend:     "Allow the flow with the policy that the refusal prints, or narrow the rule that it names. Deny rules win over every allow.",
		},
		{
			Code:     mesh.CodeTooBroad,
			Title:    "A rule lets in too many",
			Severity: mesh.Deny,
			Means:    "The companion is under default deny, and some rule lets in a source that is neither the gateway, nor a caller, nor the app itself. The refusal names one such source as a witness.",
			Why:      "Isolation is only as good as its widest rule: allows of all policies add up.",
			Example:  `Service default/whoami refused: companion "whoami" (default) is open on 50002/TCP: pod shop/app=x may reach it, since spec.ingress[0] of CiliumNetworkPolicy default/open allows it. Narrow that rule, apply the policy below, which denies all others, or label the namespace daprise.dev/coverage=warn. [DPR103]`,
			Mend:     "Narrow the rule that is named to the peers it is meant for, or apply the ingressDeny that the refusal prints. If the source is meant to call the app, name it in daprise.dev/callers.",
		},
	}
}

// effectRules are about rules of a policy that do not do what they seem to.
func effectRules() []Rule {
	return []Rule{
		{
			Code:     mesh.CodeAuthReservedPeer,
			Title:    "Authentication with a reserved peer",
			Severity: mesh.Deny,
			Means:    "The rule that allows a needed flow asks for mutual authentication, and the peer is a reserved entity such as ingress, which has no identity to authenticate with.",
			Why:      "Cilium drops such traffic for ever: the handshake can never succeed.",
			Example:  `Gateway default/default-gateway refused: the gateway can never reach ingress companion "ingress" (default) on 3500/TCP: spec.ingress[0] of CiliumNetworkPolicy default/ingress asks for authentication, which the gateway cannot give. Leave out authentication there, or empty that rule (kubectl patch ciliumnetworkpolicy ingress -n default --type=json -p='[{"op":"replace","path":"/spec/ingress/0","value":{}}]') and apply the policy below. [DPR104]`,
			Mend:     "Leave out authentication.mode where a peer is an entity. Dapr encrypts and authenticates between companions by itself.",
		},
		{
			Code:     mesh.CodeL7OnInternal,
			Title:    "Layer 7 rule on Dapr's internal port",
			Severity: mesh.Deny,
			Means:    "Traffic to a companion's port 50002 goes through a rule with HTTP or other layer 7 rules.",
			Why:      "On 50002 companions speak mutual TLS. A proxy between them can read nothing of it and breaks the connection.",
			Example:  `Service default/whoami refused: ingress companion "ingress" (default) reaches companion "whoami" (default) on 50002/TCP through a layer 7 rule, which breaks Dapr's mutual TLS: spec.ingress[0] of CiliumNetworkPolicy default/whoami. Leave out the layer 7 rules, or empty that rule (kubectl patch ciliumnetworkpolicy whoami -n default --type=json -p='[{"op":"replace","path":"/spec/ingress/0","value":{}}]') and apply the policy below. [DPR105]`,
			Mend:     "Allow 50002 by port alone. What callers may invoke is said in Dapr's access control, not in network policy.",
		},
		{
			Code:     mesh.CodePolicyVoid,
			Title:    "Policy has no effect",
			Severity: mesh.Warn,
			Means:    "A policy that selects a companion contains a rule that Cilium rejects. Cilium then ignores the whole object, also its other rules.",
			Why:      "The policy looks as if it closed the companion and does nothing.",
			Example:  `CiliumNetworkPolicy default/whoami admitted with a warning: CiliumNetworkPolicy default/whoami selects companion "whoami" (default) and has no effect: Cilium rejects it, since ingress[0] combines fromEndpoints and fromEntities. Correct that rule: one invalid rule voids the whole object. [DPR106]`,
			Mend:     "Correct the rule that is named; a rule may have one kind of peer only.",
		},
		{
			Code:     mesh.CodeNotJudged,
			Title:    "Coverage cannot be judged",
			Severity: mesh.Deny,
			Means:    "Whether a companion is isolated or a flow allowed depends on something that no one can tell from the policies alone: a DNS name, a group of a cloud, a Service's changing endpoints; or on two rules that Cilium cannot merge.",
			Why:      "What cannot be judged counts as open for isolation and as absent for reachability. Anything else would be a promise that may not hold.",
			Example:  `Service default/whoami refused: companion "whoami" (default) is open on 50002/TCP: entity world may reach it, since spec.ingress[0] of CiliumNetworkPolicy default/whoami has fromGroups, which cannot be judged. Narrow that rule, apply the policy below, which denies all others, or label the namespace daprise.dev/coverage=warn. [DPR107]`,
			Mend:     "Say the same with endpoint selectors or entities, as the policy that the refusal prints does. Of two rules that Cilium cannot merge, empty one with the command that the refusal prints.",
		},
		{
			Code:     mesh.CodeZtunnel,
			Title:    "ztunnel carries the traffic past policies",
			Severity: mesh.Deny,
			Means:    "The namespace is labelled io.cilium/mtls-enabled=true: Cilium carries its traffic in ztunnel's tunnel on one port.",
			Why:      "Policies for other ports then match nothing, so that what they close is open.",
			Example:  `Service default/whoami refused: namespace default has label io.cilium/mtls-enabled=true: ztunnel carries the traffic of companion "whoami" (default) past network policy for its ports. Take the label back (kubectl label namespace default io.cilium/mtls-enabled-): Dapr encrypts between companions by itself. [DPR108]`,
			Mend:     "Take the label back: kubectl label namespace NAME io.cilium/mtls-enabled-",
		},
	}
}

// hintRules are about what a companion lives by and about its surroundings.
func hintRules() []Rule {
	return []Rule{
		{
			Code:     mesh.CodeNeededByRoute,
			Title:    "A live route needs what the policy closes",
			Severity: mesh.Warn,
			Means:    "A policy that is written, changed or deleted stops a flow on which a stored route depends.",
			Why:      "Closing is never refused: a quarantine must always be possible. That it stops traffic should be no surprise.",
			Example:  `CiliumNetworkPolicy default/quarantine admitted with a warning: with it ingress companion "ingress" (default) may not reach companion "whoami" (default) on 50002/TCP: spec.ingressDeny[0] of CiliumNetworkPolicy default/quarantine denies it, which HTTPRoute default/whoami-route needs. Narrow that rule or empty it (kubectl patch ciliumnetworkpolicy quarantine -n default --type=json -p='[{"op":"replace","path":"/spec/ingressDeny/0","value":{}}]'). [DPR109]`,
			Mend:     "If the traffic is to go on, allow the flow beside the new policy. If not, there is nothing to do.",
		},
		{
			Code:     mesh.CodeAppReachable,
			Title:    "App is reachable past its companion",
			Severity: mesh.Warn,
			Means:    "Others than the app's companion may reach the app's own pods on the port that it serves. It is told at the app's enrolment, where pods run already.",
			Why:      "Who calls the app directly is not seen by Dapr's access control. Many teams want that for a while, so it warns.",
			Example:  `Service default/whoami admitted with a warning: the pods of Service "whoami" (default) can be reached on 80/TCP past companion "whoami" (default): any pod may, since no policy closes them. Apply the policy below, which leaves that port to the companion, or suppress this while others call the app directly (daprise.dev/suppress). [DPR110]`,
			Mend:     "Apply the policy that the finding carries: it denies that port to all but the companion, and closes nothing else.",
		},
		{
			Code:     mesh.CodeSelectorTypo,
			Title:    "Selector looks like a typing error",
			Severity: mesh.Warn,
			Means:    "A policy selects an app ID that no app or ingress of the cluster has, and that is one or two letters away from one that an uncovered companion has.",
			Why:      "A policy with a misspelt selector is valid and closes nothing.",
			Example:  `Service default/whoami admitted with a warning: CiliumNetworkPolicy default/whoami selects dapr.io/app-id=whoamy, which is no app ID here: "whoami" is meant?. Write dapr.io/app-id: whoami in its endpointSelector. [DPR111]`,
			Mend:     "Correct the label in endpointSelector.",
		},
		{
			Code:     mesh.CodeNamedPort,
			Title:    "Named port resolves nowhere",
			Severity: mesh.Warn,
			Means:    "A rule for an uncovered companion names a port that its pods do not have.",
			Why:      "Cilium resolves names per pod; a name that no pod has allows nothing.",
			Example:  `Service default/whoami admitted with a warning: spec.ingress[0] of CiliumNetworkPolicy default/whoami names port dapr, which the pods of companion "whoami" (default) do not have. Write the number of the port, or one of the names dapr-http, dapr-grpc, dapr-internal and dapr-metrics. [DPR112]`,
			Mend:     "Write the number of the port.",
		},
		{
			Code:     mesh.CodeLabelHolder,
			Title:    "Other pods carry a companion's label",
			Severity: mesh.Deny,
			Means:    "A pod that daprise's workload did not make carries the label daprise.dev/companion with the app ID of a companion.",
			Why:      "Network policy takes such a pod for the companion, and lets it in wherever the companion may go. The guard lets nobody set the label; pods that are older than the guard may have it.",
			Example:  `Service default/whoami refused: pod default/old carries the label daprise.dev/companion=whoami and is not of daprise's workload: network policy takes it for companion "whoami" (default). Delete the pod, or take the label from it (kubectl label pod old -n default daprise.dev/companion-), and from the template that it is made from. [DPR113]`,
			Mend:     "Take the label from the pods and from the template that they are made from, or delete them.",
		},
	}
}
