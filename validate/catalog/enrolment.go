// SPDX-License-Identifier: Apache-2.0

package catalog

import "github.com/daprise/daprise/mesh"

// enrolmentRules are about what an object says.
func enrolmentRules() []Rule {
	return []Rule{
		{
			Code:     mesh.CodeUnknownKey,
			Title:    "Unknown key",
			Severity: mesh.Deny,
			Means:    "An annotation under daprise.dev/ is none that daprise knows, or none that means anything on an object of this kind.",
			Why:      "A key with a typing error would be ignored in silence, and the object would not be what its author thinks.",
			Example:  `Service default/whoami refused: metadata.annotations[daprise.dev/replica]: no such key is known; the nearest is daprise.dev/replicas. Correct the key or remove the annotation. [DPR301]`,
			Mend:     "Correct or remove the annotation: kubectl annotate KIND NAME KEY-. All keys are in docs/annotations.md.",
		},
		{
			Code:     mesh.CodeBadValue,
			Title:    "Bad value",
			Severity: mesh.Deny,
			Means:    "The value of an annotation is not in its grammar, names something that is not there, or contradicts another object that enrols the same app.",
			Why:      "Guessing what was meant would enrol something else than was asked for.",
			Example:  `Service default/whoami refused: metadata.annotations[daprise.dev/replicas]: "two" is not a whole number from 1 to 100. Set a number, or remove the annotation for the default (2). [DPR302]`,
			Mend:     "Set one of the values that the refusal names, or remove the annotation for its default. All values are in docs/annotations.md.",
		},
		{
			Code:     mesh.CodeNoPort,
			Title:    "No port to choose",
			Severity: mesh.Deny,
			Means:    "The Service has several TCP ports, none is named http and dapr.io/app-port does not choose one.",
			Why:      "A companion calls its app on one port. Which one is for the app's team to say.",
			Example:  `Service default/whoami refused: metadata.annotations[dapr.io/app-port]: not set, and the Service has 2 ports, none named http: admin 81, web 80. Set dapr.io/app-port to the one that Dapr is to call. [DPR303]`,
			Mend:     "kubectl annotate service NAME dapr.io/app-port=PORT, or name the port http.",
		},
		{
			Code:     mesh.CodeAppIDTaken,
			Title:    "App ID is taken",
			Severity: mesh.Deny,
			Means:    "Another app or Gateway of the namespace has the app ID already. The older one keeps it.",
			Why:      "An app ID is an identity: two owners would share one companion, its callers and its policies.",
			Example:  `Service default/other refused: metadata.annotations[dapr.io/app-id]: app ID "whoami" belongs to Service default/whoami. Set dapr.io/app-id to another, one that no other object in the namespace has. [DPR304]`,
			Mend:     "Choose another app ID with dapr.io/app-id. kubectl get services,deployments,gateways -l daprise.dev/app-id shows those in use.",
		},
	}
}

// companionRules are about what else a companion would meet.
func companionRules() []Rule {
	return []Rule{
		{
			Code:     mesh.CodeNameTaken,
			Title:    "A companion's name is taken",
			Severity: mesh.Deny,
			Means:    "An object that daprise did not make has the name that an object of the companion would have, <app-id>-dapr or <app-id>-dapr-api.",
			Why:      "daprise never changes what is not its own, so that the companion could not be made.",
			Example:  `Service default/whoami refused: the companion of app ID "whoami" needs the name of Service default/whoami-dapr, which daprise did not make. Rename or delete that object, or set dapr.io/app-id to another app ID. [DPR305]`,
			Mend:     "Rename or delete the object, for example a Dapr Shared instance that was installed by hand, or choose another app ID.",
		},
		{
			Code:     mesh.CodeSidecarToo,
			Title:    "A sidecar too",
			Severity: mesh.Deny,
			Means:    "The pod template of the enrolled app has dapr.io/enabled, which asks Dapr for a sidecar.",
			Why:      "The app would have two Dapr instances with one app ID: each would get part of the calls, and only one is closed off.",
			Example:  `Deployment default/whoami-v1 refused: spec.template.metadata.annotations[dapr.io/enabled]: "true" asks Dapr for a sidecar, and the app would have two Dapr instances of one app ID. Remove the annotation from the pod template, or do not enrol the Deployment. [DPR306]`,
			Mend:     "Remove dapr.io/enabled from the pod template, wait for the rollout, then enrol.",
		},
		{
			Code:     mesh.CodeDaprKeyRefused,
			Title:    "Dapr's key is refused",
			Severity: mesh.Deny,
			Means:    "An annotation under dapr.io/ on the enrolled object means nothing for a companion, or would give whoever may annotate more than that.",
			Why:      "Who may edit a Service must not thereby read a Secret, mount a volume or run an image.",
			Example:  `Service default/whoami refused: metadata.annotations[dapr.io/api-token-secret]: refused on an enrolled object: it names a Secret: whoever may annotate a Service must not thereby read one. Remove the annotation. [DPR307]`,
			Mend:     "Remove the annotation. What each of Dapr's keys means for a companion is in docs/companions.md; images and environment variables are allowed in daprise's config file.",
		},
		{
			Code:     mesh.CodeServiceUnfit,
			Title:    "Service cannot be enrolled",
			Severity: mesh.Deny,
			Means:    "The Service is of type ExternalName, has no selector or no TCP port, is headless with a port that is not the pods' own, or belongs to a companion.",
			Why:      "The first two would let an annotation aim a companion's identity at anything, inside the cluster or outside it. Behind the others no app can be called.",
			Example:  `Service default/whoami refused: spec.type: ExternalName would lead the companion to "evil.example", which nothing in the cluster checks. Enrol a Service with a selector and a TCP port, or remove daprise.dev/enabled. [DPR308]`,
			Mend:     "Enrol a Service that selects the app's pods. An enrolled Service has to leave the mesh before it becomes one of these.",
		},
		{
			Code:     mesh.CodeAmbiguousService,
			Title:    "Deployment without one Service",
			Severity: mesh.Deny,
			Means:    "A Deployment is enrolled through its Service, and none, or more than one, selects its pods; or the one that daprise.dev/service names does not.",
			Why:      "Dapr calls an app through its Service. Of several, only the app's team knows which.",
			Example:  `Deployment default/whoami-v1 refused: metadata.annotations[daprise.dev/service]: not set, and 2 Services select its pods: other and whoami. Name one of them with daprise.dev/service. [DPR309]`,
			Mend:     "kubectl annotate deployment NAME daprise.dev/service=SERVICE, or enrol the Service itself.",
		},
		{
			Code:     mesh.CodeUnsafeOptOut,
			Title:    "Unsafe way out of the mesh",
			Severity: mesh.Deny,
			Means:    "In a namespace of mode strict, a route opts out, or an app or Gateway leaves while a route sends traffic through its companion.",
			Why:      "That traffic would go on past the companions, unseen by what strict promises.",
			Example:  `Service default/whoami refused: metadata.annotations[daprise.dev/enabled]: app ID "whoami" would leave the mesh while HTTPRoute shop/r sends traffic through its companion, and a namespace of mode strict is concerned. Delete the route or point it elsewhere first, or label the namespace daprise.dev/coverage=enforce while the app leaves. [DPR310]`,
			Mend:     "Change the route first. For a planned exit, the platform team labels the namespace daprise.dev/coverage=enforce meanwhile.",
		},
	}
}

// caveatRules are about what an enrolment asks for and does not get, or not as its author may think.
func caveatRules() []Rule {
	return []Rule{
		{
			Code:     mesh.CodeConfiguration,
			Title:    "Configuration says something else",
			Severity: mesh.Warn,
			Means:    "The Configuration that dapr.io/config names does not exist, refuses a caller that daprise.dev/callers or a route names, or lets in everybody.",
			Why:      "It is used as it is, in place of the one that daprise would write. Who may call an app is then said in two places, and calls fail, or pass one of two locks, where they differ. Dapr does not start without it.",
			Example:  `Service default/whoami admitted with a warning: metadata.annotations[dapr.io/config]: Configuration default/tracing lets in every caller, so that network policy alone says who may call the app. Set spec.accessControl.defaultAction to deny and allow the callers. [DPR312]`,
			Mend:     "Let its spec.accessControl deny by default and allow the callers, each with its namespace and trust domain (docs/companions.md). The condition Companion repeats the warning.",
		},
		{
			Code:     mesh.CodeLocalRedirect,
			Title:    "Local redirect without effect",
			Severity: mesh.Warn,
			Means:    "daprise.dev/local-redirect is on a Gateway, or on an app whose pods do not use Dapr's API, or Cilium ignores local redirects.",
			Why:      "A local redirect acts on what pods send to a companion's ClusterIP. The gateway sends to endpoints, and does not pass through it.",
			Example:  `Gateway default/default-gateway admitted with a warning: metadata.annotations[daprise.dev/local-redirect]: the gateway does not pass through a local redirect: its requests are not kept on their node, only those that pods send to the companion. Remove the annotation, unless pods call the ingress companion. [DPR313]`,
			Mend:     "Remove the annotation, or enable local redirect policies in Cilium (enable-local-redirect-policy in cilium-config).",
		},
	}
}
