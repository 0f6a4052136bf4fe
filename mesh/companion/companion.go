// SPDX-License-Identifier: Apache-2.0

// Package companion renders the objects of a Dapr Shared instance as typed values, says what each of Dapr's own annotations means
// for it (Keys), and tells from a live object whether it is what was rendered (UpToDate) and whether it serves (State). It is pure.
//
// What a daprd needs in Kubernetes mode is taken from Dapr 1.18: pkg/injector/patcher, cmd/daprd/options, charts/dapr.
package companion

import (
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/daprise/daprise/mesh"
)

// Input is what a companion needs to know beside its App or Ingress.
type Input struct {
	Config mesh.Config
	// TrustAnchors is the PEM of Dapr's public trust bundle (ConfigMap dapr-trust-bundle, key ca.crt).
	TrustAnchors string
	// Callers are all who may invoke the app: ingress companions that route to it, or are about to, and the app's own callers.
	// Order and repetition do not matter.
	Callers []mesh.AppRef
	// TrustDomains holds the callers whose own Configuration sets spec.accessControl.trustDomain; every other caller's identity
	// is in the trust domain "public" (dapr pkg/sentry/server/validator/kubernetes).
	TrustDomains map[mesh.AppRef]string
	// UserConfiguration is the content of the Configuration that the app names by dapr.io/config (mesh.Configuration.Content). A change
	// of it rolls the pods. It is not read otherwise.
	UserConfiguration string
	// Autoscaled says that a HorizontalPodAutoscaler targets the companion's Deployment: spec.replicas is left to it.
	Autoscaled bool
}

// App renders the objects of an app's companion, the workload last. It does not modify its arguments; equal arguments give equal
// objects. Annotations in app.Dapr that CheckKey refuses are left out.
func App(app mesh.App, in Input) []runtime.Object {
	i := ofApp(app, in)
	objects := []runtime.Object{i.serviceAccount()}
	if !i.settings.hasConfig {
		objects = append(objects, i.configurationObject())
	}
	objects = append(objects, i.headlessService())
	if app.DaprAPI {
		objects = append(objects, i.apiService())
	}
	return append(objects, i.shared()...)
}

// Ingress renders the objects of a Gateway's companion, on the same terms as App.
func Ingress(ingress mesh.Ingress, in Input) []runtime.Object {
	i := ofIngress(ingress, in)
	objects := []runtime.Object{i.serviceAccount(), i.configurationObject(), i.ingressService()}
	for _, app := range ingress.Splits {
		objects = append(objects, i.splitService(app))
	}
	return append(objects, i.shared()...)
}

// Kinds are the kinds that App and Ingress may render, in the order in which they are rendered. The last two are the workloads.
func Kinds() []schema.GroupVersionKind {
	return []schema.GroupVersionKind{
		{Version: "v1", Kind: "ServiceAccount"},
		{Group: "dapr.io", Version: "v1alpha1", Kind: "Configuration"},
		{Version: "v1", Kind: "Service"},
		{Group: "policy", Version: "v1", Kind: "PodDisruptionBudget"},
		{Group: "cilium.io", Version: "v2", Kind: "CiliumLocalRedirectPolicy"},
		{Group: "apps", Version: "v1", Kind: "Deployment"},
		{Group: "apps", Version: "v1", Kind: "DaemonSet"},
	}
}

// IsWorkload says whether a rendered object runs pods: what is not created while the companion is held.
func IsWorkload(object runtime.Object) bool {
	switch object.(type) {
	case *appsv1.Deployment, *appsv1.DaemonSet:
		return true
	default:
		return false
	}
}

// instance is what App and Ingress have in common once resolved.
type instance struct {
	ref       mesh.AppRef
	owner     mesh.Owner
	component mesh.Component
	strategy  mesh.Strategy
	replicas  int32
	input     Input
	settings  settings
	httpPort  int32
	grpcPort  int32
	// grpc says that the API's gRPC port is served to others.
	grpc bool
	// redirect asks for a CiliumLocalRedirectPolicy.
	redirect bool
	// configuration is the spec of our own Configuration; unused where the user names one.
	configuration configurationSpec
	// app is nil for an ingress.
	app *mesh.App
}

func ofApp(app mesh.App, in Input) instance {
	return instance{
		ref:           app.AppRef,
		owner:         app.Owner,
		component:     mesh.ComponentApp,
		strategy:      app.Strategy,
		replicas:      app.Replicas,
		input:         in,
		settings:      settingsOf(app.Dapr, "Service", in.Config),
		httpPort:      app.HTTPPort(),
		grpcPort:      app.GRPCPort(),
		grpc:          true,
		redirect:      app.LocalRedirect && app.DaprAPI,
		configuration: appConfiguration(app, in),
		app:           &app,
	}
}

func ofIngress(ingress mesh.Ingress, in Input) instance {
	return instance{
		ref:           ingress.AppRef,
		owner:         ingress.Owner,
		component:     mesh.ComponentIngress,
		strategy:      ingress.Strategy,
		replicas:      ingress.Replicas,
		input:         in,
		settings:      settingsOf(ingress.Dapr, kindGateway, in.Config),
		httpPort:      mesh.PortHTTP,
		grpcPort:      mesh.PortGRPC,
		grpc:          ingress.GRPC,
		redirect:      ingress.LocalRedirect,
		configuration: ingressConfiguration(in.Config),
	}
}

func (i instance) name() string { return mesh.CompanionName(i.ref.ID) }

func (i instance) selector() map[string]string {
	return map[string]string{mesh.LabelCompanion: i.ref.ID}
}

// shared are the objects that both kinds of companion have, after their Services.
func (i instance) shared() []runtime.Object {
	var objects []runtime.Object
	if i.strategy != mesh.StrategyDaemonSet && i.replicas >= 2 {
		objects = append(objects, i.disruptionBudget())
	}
	if i.redirect {
		objects = append(objects, i.localRedirect())
	}
	if i.strategy == mesh.StrategyDaemonSet {
		return append(objects, i.daemonSet())
	}
	return append(objects, i.deployment())
}
