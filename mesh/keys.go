// SPDX-License-Identifier: Apache-2.0

package mesh

// Prefix begins every key of daprise on Kubernetes objects.
const Prefix = "daprise.dev/"

// DaprPrefix begins every key of Dapr on Kubernetes objects.
const DaprPrefix = "dapr.io/"

// Annotations that users set.
const (
	AnnotationEnabled       = Prefix + "enabled"
	AnnotationStrategy      = Prefix + "strategy"
	AnnotationReplicas      = Prefix + "replicas"
	AnnotationLocalRedirect = Prefix + "local-redirect"
	AnnotationService       = Prefix + "service"
	AnnotationCallers       = Prefix + "callers"
	AnnotationDaprAPI       = Prefix + "dapr-api"
	AnnotationInvoke        = Prefix + "invoke"
	AnnotationSuppress      = Prefix + "suppress"

	AnnotationAppID       = DaprPrefix + "app-id"
	AnnotationAppPort     = DaprPrefix + "app-port"
	AnnotationAppProtocol = DaprPrefix + "app-protocol"
)

// Annotations that daprise writes.
const (
	// AnnotationOriginal holds the record of the user's rules on a rewritten route.
	AnnotationOriginal = Prefix + "original"
	// AnnotationRevision holds the hash of the enrolment a rewritten route was admitted against.
	AnnotationRevision = Prefix + "revision"
)

// Labels.
const (
	// LabelAppID is the one thing that admission writes on an enrolled object.
	LabelAppID = Prefix + "app-id"
	// LabelCompanion is the guarded label of companions' pods and their selector.
	LabelCompanion = Prefix + "companion"

	// LabelCoverage, LabelPolicies and LabelAdmission are set by platform teams on namespaces.
	LabelCoverage  = Prefix + "coverage"
	LabelPolicies  = Prefix + "policies"
	LabelAdmission = Prefix + "admission"

	// LabelNamespaceName is set on every namespace by the API server.
	LabelNamespaceName = "kubernetes.io/metadata.name"
)

// Labels of every object that daprise makes (contract: "What daprise writes").
const (
	LabelName      = "app.kubernetes.io/name"
	LabelInstance  = "app.kubernetes.io/instance"
	LabelComponent = "app.kubernetes.io/component"
	LabelManagedBy = "app.kubernetes.io/managed-by"

	NameDaprShared   = "dapr-shared"
	ManagedByDaprise = "daprise"
)

// Names of daprise itself.
const (
	FieldManager    = "daprise"
	SystemNamespace = "daprise-system"
	WebhookService  = "daprise-webhook"
)

// Ports of a daprd (facts: "What a daprd pod must have").
const (
	PortHTTP     int32 = 3500
	PortPublic   int32 = 3501
	PortGRPC     int32 = 50001
	PortInternal int32 = 50002
	PortMetrics  int32 = 9090

	// PortHTTPMoved and PortGRPCMoved replace PortHTTP and PortGRPC on the pods of a companion whose app listens on
	// that number: daprd refuses to start otherwise, even for a remote app (dapr pkg/runtime/config.go).
	PortHTTPMoved int32 = 3510
	PortGRPCMoved int32 = 50011
)

// Component tells the two kinds of companion apart, as the value of LabelComponent.
type Component string

// The two kinds of companion.
const (
	ComponentApp     Component = "app"
	ComponentIngress Component = "ingress"
)
