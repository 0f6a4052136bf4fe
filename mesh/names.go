// SPDX-License-Identifier: Apache-2.0

package mesh

import (
	"crypto/sha256"
	"encoding/hex"
)

// MaxName is the longest name daprise gives to an object: a DNS label.
const MaxName = 63

// CompanionName names every object of an app ID but its API Service: "whoami-dapr".
func CompanionName(id string) string { return shorten(id + "-dapr") }

// APIServiceName names the Service on which an app's own pods find their companion: "whoami-dapr-api".
func APIServiceName(id string) string { return shorten(id + "-dapr-api") }

// SplitServiceName names the Service in front of the ingress companion that carries one app's share of a weighted rule:
// "ingress-dapr-to-whoami", across namespaces "ingress-dapr-to-whoami-shop".
func SplitServiceName(ingress, app AppRef) string {
	name := ingress.ID + "-dapr-to-" + app.ID
	if app.Namespace != ingress.Namespace {
		name += "-" + app.Namespace
	}
	return shorten(name)
}

// GrantName names the ReferenceGrant that lets routes of a namespace reach an ingress companion: "ingress-dapr-from-shop".
func GrantName(ingressID, namespace string) string {
	return shorten(ingressID + "-dapr-from-" + namespace)
}

// OutName names the generated policy that lets a companion send where policy closes its egress: "whoami-dapr-out".
func OutName(id string) string { return shorten(id + "-dapr-out") }

// ToName names the generated policy that lets a companion into the pods of a Service where policy closes them: "whoami-dapr-to-whoami".
func ToName(id, service string) string { return shorten(id + "-dapr-to-" + service) }

// shorten cuts a name over MaxName bytes and ends it in "-" and 8 hex digits of the SHA-256 of the full name.
func shorten(name string) string {
	if len(name) <= MaxName {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return name[:MaxName-9] + "-" + hex.EncodeToString(sum[:])[:8]
}

// ObjectLabels are the labels of every object that daprise makes for an app ID.
func ObjectLabels(id string, component Component) map[string]string {
	return map[string]string{
		LabelName:      NameDaprShared,
		LabelInstance:  id,
		LabelComponent: string(component),
		LabelManagedBy: ManagedByDaprise,
	}
}

// PodLabels are the labels of a companion's pods: those of ObjectLabels, the guarded selector label and Dapr's app ID, by which
// network policies name the companion (Cilium takes identities from pod labels).
func PodLabels(id string, component Component) map[string]string {
	labels := ObjectLabels(id, component)
	labels[LabelCompanion] = id
	labels[AnnotationAppID] = id
	return labels
}
