// SPDX-License-Identifier: Apache-2.0

package mesh

import "k8s.io/apimachinery/pkg/types"

// Strategy is how a companion is spread: as replicas of a Deployment or one on every node.
type Strategy string

// Strategies.
const (
	StrategyDeployment Strategy = "deployment"
	StrategyDaemonSet  Strategy = "daemonset"
)

// Invoke is the form in which a rewritten rule names its target app.
type Invoke string

// Invocation forms (design: "Routes").
const (
	InvokePrefix Invoke = "prefix"
	InvokeHeader Invoke = "header"
)

// Owner is the enrolled object that a companion belongs to.
type Owner struct {
	Object Object
	UID    types.UID
}

// CompanionState is what is known of a running companion.
type CompanionState struct {
	// Live says that the companion's workload exists: it was started once and is not withdrawn again.
	Live bool
	// Ready says that an endpoint is ready at the current template and Configuration.
	Ready bool
}

// App is an enrolled application, resolved: what its Service, or its Deployment through its Service, asks for.
type App struct {
	AppRef
	// Owner carries the annotations: a Service or a Deployment. If both do and agree, the Service.
	Owner Owner
	// Service is the name of the app's own Service, in the app's namespace.
	Service string
	// Port is the number of the Service's port that Dapr calls.
	Port int32
	// Protocol is http, https, h2c, grpc or grpcs.
	Protocol string
	Strategy Strategy
	// Replicas is at least 1 for StrategyDeployment and 0 for StrategyDaemonSet.
	Replicas      int32
	LocalRedirect bool
	// Callers may call the app beside the ingress companions that route to it.
	Callers []AppRef
	// DaprAPI says that the app's own pods may use their companion's Dapr API.
	DaprAPI bool
	// Selector is the app's Service's selector: the app's own pods.
	Selector map[string]string
	// Dapr holds the other dapr.io/ annotations of the enrolled object.
	Dapr      map[string]string
	Companion CompanionState
}

// HTTPPort is the port on which the app's companion pods serve Dapr's HTTP API: PortHTTP, moved where the app itself listens there.
func (a App) HTTPPort() int32 {
	if a.Port == PortHTTP {
		return PortHTTPMoved
	}
	return PortHTTP
}

// GRPCPort is the port on which the app's companion pods serve Dapr's gRPC API: PortGRPC, moved where the app itself listens there.
func (a App) GRPCPort() int32 {
	if a.Port == PortGRPC {
		return PortGRPCMoved
	}
	return PortGRPC
}

// Ingress is an enrolled Gateway, resolved.
type Ingress struct {
	AppRef
	// Owner is the Gateway.
	Owner         Owner
	Gateway       string
	Strategy      Strategy
	Replicas      int32
	LocalRedirect bool
	Invoke        Invoke
	// GRPC says that a GRPCRoute needs the companion's port 50001.
	GRPC bool
	// GRPCServed says that the companion's Service has that port.
	GRPCServed bool
	// Splits are the apps that have a Service of their own in front of the companion (SplitServiceName), because a rule is divided between
	// them and others. Sorted, each once.
	Splits    []AppRef
	Dapr      map[string]string
	Companion CompanionState
}

// Fronts says whether a Service is one through which routes invoke an app at the ingress companion: the companion's own, or the one that
// stands in front of it for that app.
func (g Ingress) Fronts(service Name, app AppRef) bool {
	return service.Namespace == g.Namespace && (service.Name == CompanionName(g.ID) || service.Name == SplitServiceName(g.AppRef, app))
}
