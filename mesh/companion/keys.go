// SPDX-License-Identifier: Apache-2.0

package companion

import (
	"time"

	"github.com/daprise/daprise/mesh"
)

const kindGateway = "Gateway"

// Keys of Dapr's that rendering reads by name.
const (
	keyConfig             = mesh.AnnotationConfig
	keyImage              = mesh.DaprPrefix + "sidecar-image"
	keyEnv                = mesh.DaprPrefix + "env"
	keyEnableMetrics      = mesh.DaprPrefix + "enable-metrics"
	keyCPURequest         = mesh.DaprPrefix + "sidecar-cpu-request"
	keyCPULimit           = mesh.DaprPrefix + "sidecar-cpu-limit"
	keyMemoryRequest      = mesh.DaprPrefix + "sidecar-memory-request"
	keyMemoryLimit        = mesh.DaprPrefix + "sidecar-memory-limit"
	keyGracefulShutdown   = mesh.DaprPrefix + "graceful-shutdown-seconds"
	keyBlockShutdown      = mesh.DaprPrefix + "block-shutdown-duration"
	keyHTTPMaxRequestSize = mesh.DaprPrefix + "http-max-request-size"
	keyHTTPReadBufferSize = mesh.DaprPrefix + "http-read-buffer-size"
	keyHealthInterval     = mesh.DaprPrefix + "app-health-probe-interval"
	keyHealthTimeout      = mesh.DaprPrefix + "app-health-probe-timeout"
)

// Use says what becomes of one of Dapr's keys on an enrolled object.
type Use string

// Uses of a key.
const (
	// Mapped keys keep Dapr's meaning, within their grammar.
	Mapped Use = "mapped"
	// Ours are read by daprise itself when it resolves an enrolment (contract: "Annotations users set").
	Ours Use = "ours"
	// Refused keys are an error, with a reason.
	Refused Use = "refused"
)

// Key is what one annotation of Dapr's injector (dapr pkg/injector/annotations) means on an enrolled Service, Deployment or Gateway.
type Key struct {
	// Name is the whole key, "dapr.io/log-level".
	Name string
	Use  Use
	// Flag is the flag of daprd that a mapped key sets, with its dashes; empty where it sets something else, which To names.
	Flag string
	To   string
	// Value is a mapped key's grammar.
	Value Value
	// AppOnly keys mean nothing without an app and are refused on a Gateway.
	AppOnly bool
	// Reason says, for a refused key, why it is refused; for ours, what it is.
	Reason string
}

func (k Key) applies(kind string) bool { return !k.AppOnly || kind != kindGateway }

// Keys are all keys of Dapr 1.18's injector, once each, the mapped ones first: the table of docs/companions.md.
func Keys() []Key {
	keys := append(ourKeys(), mappedKeys()...)
	keys = append(keys, probeKeys()...)
	return append(keys, refusedKeys()...)
}

func ourKeys() []Key {
	return []Key{
		{Name: "dapr.io/app-id", Use: Ours, Reason: "the app ID"},
		{Name: "dapr.io/app-port", Use: Ours, AppOnly: true, Reason: "the Service port that Dapr calls"},
		{Name: "dapr.io/app-protocol", Use: Ours, AppOnly: true, Reason: "how Dapr speaks to the app"},
	}
}

// mappedKeys are in the order in which their flags stand on daprd's command line.
func mappedKeys() []Key {
	audience := func(s string) bool { return s != "" && len(s) <= 253 && only(s, "-._~:/@") }
	initEndpoint := func(s string) bool { return s == "config" || s == "subscribe" }
	return []Key{
		{Name: keyConfig, Use: Mapped, AppOnly: true, To: "the flag --config and the pod's annotation dapr.io/config", Value: objectName()},
		{Name: "dapr.io/log-level", Use: Mapped, Flag: "--log-level", Value: oneOf("debug", "info", "warn", "error", "fatal")},
		{Name: "dapr.io/log-as-json", Use: Mapped, Flag: "--log-as-json", Value: boolean()},
		{Name: "dapr.io/enable-api-logging", Use: Mapped, Flag: "--enable-api-logging", Value: boolean()},
		{Name: keyEnableMetrics, Use: Mapped, Flag: "--enable-metrics", Value: boolean()},
		{Name: keyGracefulShutdown, Use: Mapped, Flag: "--dapr-graceful-shutdown-seconds", Value: integer(1, 3600)},
		{Name: keyBlockShutdown, Use: Mapped, Flag: "--dapr-block-shutdown-duration", Value: duration(0, time.Hour)},
		{Name: "dapr.io/max-body-size", Use: Mapped, Flag: "--max-body-size", Value: byteSize("1", "1Gi")},
		// daprd's gRPC server multiplies the buffer by 1024 into 32 bits (dapr pkg/api/grpc/server.go): 4Mi would wrap to nothing.
		{Name: "dapr.io/read-buffer-size", Use: Mapped, Flag: "--read-buffer-size", Value: byteSize("1Ki", "1Mi")},
		{Name: keyHTTPMaxRequestSize, Use: Mapped, To: "the flag --max-body-size, in MiB, unless dapr.io/max-body-size is set", Value: integer(1, 1024)},
		{Name: keyHTTPReadBufferSize, Use: Mapped, To: "the flag --read-buffer-size, in KiB, unless dapr.io/read-buffer-size is set", Value: integer(1, 1024)},
		{Name: "dapr.io/app-max-concurrency", Use: Mapped, AppOnly: true, Flag: "--app-max-concurrency", Value: integer(-1, 1<<31-1)},
		{Name: "dapr.io/enable-app-health-check", Use: Mapped, AppOnly: true, Flag: "--enable-app-health-check", Value: boolean()},
		{Name: "dapr.io/app-health-check-path", Use: Mapped, AppOnly: true, Flag: "--app-health-check-path", Value: urlPath()},
		{Name: keyHealthInterval, Use: Mapped, AppOnly: true, Flag: "--app-health-probe-interval", Value: integer(1, 3600)},
		{Name: keyHealthTimeout, Use: Mapped, AppOnly: true, Flag: "--app-health-probe-timeout", Value: integer(1, 3600000)},
		{Name: "dapr.io/app-health-threshold", Use: Mapped, AppOnly: true, Flag: "--app-health-threshold", Value: integer(1, 1000)},
		{Name: "dapr.io/actors-disseminate-timeout", Use: Mapped, AppOnly: true, Flag: "--actors-disseminate-timeout", Value: duration(time.Second, time.Hour)},
		{Name: "dapr.io/sentry-request-jwt-audiences", Use: Mapped, AppOnly: true, Flag: "--sentry-request-jwt-audiences", Value: list("audiences", audience)},
		{Name: "dapr.io/disable-init-endpoints", Use: Mapped, AppOnly: true, Flag: "--disable-init-endpoints", Value: list(`"config" and "subscribe"`, initEndpoint)},
		{Name: "dapr.io/disable-builtin-k8s-secret-store", Use: Mapped, To: "nothing: it is always disabled, since a companion has no token for the Kubernetes API", Value: oneOf("true")},
		{Name: keyImage, Use: Mapped, To: "the container's image", Value: listedImage()},
		{Name: keyEnv, Use: Mapped, To: "the container's environment", Value: listedEnv()},
		{Name: keyCPURequest, Use: Mapped, To: "resources.requests.cpu", Value: quantity("1m", "1k")},
		{Name: keyCPULimit, Use: Mapped, To: "resources.limits.cpu", Value: quantity("1m", "1k")},
		{Name: keyMemoryRequest, Use: Mapped, To: "resources.requests.memory", Value: byteSize("1Mi", "1Ti")},
		{Name: keyMemoryLimit, Use: Mapped, To: "resources.limits.memory", Value: byteSize("1Mi", "1Ti")},
		{Name: "dapr.io/sidecar-seccomp-profile-type", Use: Mapped, To: "securityContext.seccompProfile.type, which is always this", Value: oneOf("RuntimeDefault")},
	}
}

func probeKeys() []Key {
	return []Key{
		{Name: "dapr.io/sidecar-liveness-probe-delay-seconds", Use: Mapped, To: "livenessProbe.initialDelaySeconds", Value: integer(0, 3600)},
		{Name: "dapr.io/sidecar-liveness-probe-timeout-seconds", Use: Mapped, To: "livenessProbe.timeoutSeconds", Value: integer(1, 3600)},
		{Name: "dapr.io/sidecar-liveness-probe-period-seconds", Use: Mapped, To: "livenessProbe.periodSeconds", Value: integer(1, 3600)},
		{Name: "dapr.io/sidecar-liveness-probe-threshold", Use: Mapped, To: "livenessProbe.failureThreshold", Value: integer(1, 1000)},
		{Name: "dapr.io/sidecar-readiness-probe-delay-seconds", Use: Mapped, To: "readinessProbe.initialDelaySeconds", Value: integer(0, 3600)},
		{Name: "dapr.io/sidecar-readiness-probe-timeout-seconds", Use: Mapped, To: "readinessProbe.timeoutSeconds", Value: integer(1, 3600)},
		{Name: "dapr.io/sidecar-readiness-probe-period-seconds", Use: Mapped, To: "readinessProbe.periodSeconds", Value: integer(1, 3600)},
		{Name: "dapr.io/sidecar-readiness-probe-threshold", Use: Mapped, To: "readinessProbe.failureThreshold", Value: integer(1, 1000)},
	}
}

func refusedKeys() []Key {
	const (
		reasonSecret    = "it names a Secret: whoever may annotate a Service must not thereby read one"
		reasonVolume    = "it mounts volumes: a companion's only volume is its identity token"
		reasonContainer = "it adds containers: a companion is one container, daprd"
		reasonPort      = "every companion uses the same ports, which network policies name"
		reasonControl   = "companions use the control plane of daprise's config file: another one could give them any identity"
		reasonDebug     = "it replaces daprd by a debugger that takes commands from the network"
	)
	return []Key{
		{Name: "dapr.io/enabled", Use: Refused, Reason: "it asks Dapr for a sidecar; " + mesh.AnnotationEnabled + " asks for a companion"},
		{Name: "dapr.io/app-ssl", Use: Refused, Reason: `Dapr replaced it by dapr.io/app-protocol, "https" or "grpcs"`},
		{Name: "dapr.io/app-channel-address", Use: Refused, Reason: "a companion calls its app's own Service: another address would lend the app's identity to anybody"},
		{Name: "dapr.io/api-token-secret", Use: Refused, Reason: reasonSecret},
		{Name: "dapr.io/app-token-secret", Use: Refused, Reason: reasonSecret},
		{Name: "dapr.io/env-from-secret", Use: Refused, Reason: reasonSecret},
		{Name: "dapr.io/volume-mounts", Use: Refused, Reason: reasonVolume},
		{Name: "dapr.io/volume-mounts-rw", Use: Refused, Reason: reasonVolume},
		{Name: "dapr.io/unix-domain-socket-path", Use: Refused, Reason: "a companion shares no pod, and so no socket, with its app"},
		{Name: "dapr.io/pluggable-components", Use: Refused, Reason: reasonContainer},
		{Name: "dapr.io/pluggable-components-sockets-folder", Use: Refused, Reason: reasonContainer},
		{Name: "dapr.io/component-container", Use: Refused, Reason: reasonContainer},
		{Name: "dapr.io/inject-pluggable-components", Use: Refused, Reason: reasonContainer},
		{Name: "dapr.io/enable-native-sidecar", Use: Refused, Reason: "a companion is not a sidecar"},
		{Name: "dapr.io/sidecar-listen-addresses", Use: Refused, Reason: "a companion listens on its pod's address, or within its pod alone where " + mesh.AnnotationDaprAPI + ` is "false"`},
		{Name: "dapr.io/grpc-port", Use: Refused, Reason: reasonPort},
		{Name: "dapr.io/internal-grpc-port", Use: Refused, Reason: reasonPort + ", and callers dial their own port number"},
		{Name: "dapr.io/metrics-port", Use: Refused, Reason: reasonPort},
		{Name: "dapr.io/enable-debug", Use: Refused, Reason: reasonDebug},
		{Name: "dapr.io/debug-port", Use: Refused, Reason: reasonDebug},
		{Name: "dapr.io/enable-profiling", Use: Refused, Reason: "it opens a port that no policy of the mesh knows"},
		{Name: "dapr.io/placement-host-address", Use: Refused, Reason: reasonControl},
		{Name: "dapr.io/scheduler-host-address", Use: Refused, Reason: reasonControl},
		{Name: "dapr.io/sidecar-svc-annotations", Use: Refused, Reason: "annotations on a companion's Service are orders to other controllers, such as load balancers"},
	}
}
