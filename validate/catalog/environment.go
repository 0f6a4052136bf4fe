// SPDX-License-Identifier: Apache-2.0

package catalog

import "github.com/daprise/daprise/mesh"

func environmentRules() []Rule {
	return []Rule{
		{
			Code:     mesh.CodeKindMissing,
			Title:    "A kind is not installed",
			Severity: mesh.Warn,
			Means:    "The API server does not serve a kind that daprise needs: CiliumNetworkPolicy, Dapr's Configuration, or a kind of the Gateway API.",
			Why:      "Without Cilium's kinds nothing is known of isolation, and without Dapr's no companion can run. daprise goes on once they are installed.",
			Mend:     "Install the missing CustomResourceDefinitions; nothing has to be restarted.",
		},
		{
			Code:     mesh.CodeDaprVersion,
			Title:    "Dapr's version",
			Severity: mesh.Warn,
			Means:    "Dapr's control plane is of another minor version than dapr.version of daprise's config file. The condition Companion says so; companions run.",
			Why:      "Flags of daprd and the ports of the control plane change between versions.",
			Mend:     "Install a version that the compatibility table names, and set dapr.version and dapr.images in daprise's config file to it.",
		},
		{
			Code:     mesh.CodeCiliumSetting,
			Title:    "A setting of Cilium changes verdicts",
			Severity: mesh.Deny,
			Means:    "Cilium's version or a setting in ConfigMap cilium-config is unknown, or makes policies mean something else than daprise models. With dapr.encryption: cilium also: it does not show that Cilium encrypts and authenticates.",
			Why:      "Coverage is only claimed where Cilium judges as daprise does. Like coverage, it takes the mode of the namespace.",
			Example:  `Service default/whoami refused: coverage of companion "whoami" (default) is not claimed: the version of Cilium is unknown. Let daprise read ConfigMap cilium-config (cilium.namespace in its configuration) or label the namespace daprise.dev/coverage=warn. [DPR403]`,
			Mend:     "Let daprise read cilium-config (cilium.namespace in its config file), or take the setting back.",
		},
		{
			Code:     mesh.CodeTrustBundle,
			Title:    "Dapr's trust bundle is missing or expires",
			Severity: mesh.Warn,
			Means: "ConfigMap dapr-trust-bundle was not found in Dapr's namespace, or its key ca.crt holds no root certificate that is valid, or one expires within 30 days. Without one, companions are held and none is rolled: " +
				"the condition Companion is False, DaprMissing, unless the companion runs and goes on.",
			Why:  "A daprd without trust anchors cannot prove who it is, and does not start.",
			Mend: "Install Dapr, or set dapr.controlPlaneNamespace in daprise's config file to where it is. Companions start by themselves then. To replace a root: docs/operations.md.",
		},
	}
}

// suppressionRules are about what people say to daprise about its own findings.
func suppressionRules() []Rule {
	return []Rule{
		{
			Code:     mesh.CodeSuppression,
			Title:    "Suppression without effect",
			Severity: mesh.Warn,
			Means:    "A suppression, by daprise.dev/suppress or by daprise analyze --suppress, is not in its grammar, has expired, or hides nothing any more. Only the CLI says so.",
			Why:      "A suppression that nobody looks at hides the next finding, which is another one.",
			Mend:     "Take it away, or give it another reason and day once what it hides has been looked at.",
		},
	}
}
