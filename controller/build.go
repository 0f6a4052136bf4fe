// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"fmt"
	"maps"
	"slices"

	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
)

// build is one load under way.
type build struct {
	loader *Loader
	door   door
	need   mesh.Need

	view     *mesh.View
	compiled []*policy.Policy
	groups   []policy.CIDRGroup
	// stored are the routes that concern a namespace of the need.
	stored []route
	// concerned is sorted; it grows by the other ends of routes and of callers.
	concerned []string
	missing   []string
	result    loaded
}

// listed is list for a build: it notes kinds that are not served.
func listed[T client.Object](ctx context.Context, b *build, k kind, s scope) ([]T, error) {
	objects, served, err := list[T](ctx, b.door, k, s)
	if err == nil && !served {
		b.note(b.door.kinds[k].gvk.Kind)
	}
	return objects, err
}

func (b *build) note(kind string) {
	if !slices.Contains(b.missing, kind) {
		b.missing = append(b.missing, kind)
	}
}

func (b *build) concern(namespaces ...string) {
	for _, ns := range namespaces {
		if i, found := slices.BinarySearch(b.concerned, ns); !found && ns != "" {
			b.concerned = slices.Insert(b.concerned, i, ns)
		}
	}
}

// enrolments reads the enrolled objects of the namespaces concerned and resolves them.
func (b *build) enrolments(ctx context.Context) error {
	namespaces := b.concerned
	if b.need.AllNamespaces {
		namespaces = []string{""}
	}
	for _, ns := range namespaces {
		if err := b.enrolledIn(ctx, ns); err != nil {
			return err
		}
	}
	b.resolve()
	for _, app := range b.view.Apps {
		b.concern(app.Namespace)
	}
	for _, ingress := range b.view.Ingresses {
		b.concern(ingress.Namespace)
	}
	return nil
}

// enrolledIn reads the enrolled objects of one namespace, or of all.
func (b *build) enrolledIn(ctx context.Context, namespace string) error {
	s := scope{namespace: namespace}
	services, err := listed[*corev1.Service](ctx, b, kindService, s)
	if err != nil {
		return err
	}
	deployments, err := listed[*appsv1.Deployment](ctx, b, kindDeployment, s)
	if err != nil {
		return err
	}
	gateways, err := listed[*gatewayv1.Gateway](ctx, b, kindGateway, s)
	if err != nil {
		return err
	}
	extra, err := b.candidates(ctx, namespace, services, deployments)
	if err != nil {
		return err
	}
	o := &b.result.objects
	o.Services = append(append(o.Services, services...), extra...)
	o.Deployments = append(o.Deployments, deployments...)
	o.Gateways = append(o.Gateways, gateways...)
	return nil
}

// candidates are Services that are not enrolled and may select the pods of a Deployment that is, or that is about to be: for the latter
// a live load reads all Services of the namespaces asked for.
func (b *build) candidates(ctx context.Context, namespace string, services []*corev1.Service, deployments []*appsv1.Deployment) ([]*corev1.Service, error) {
	if b.door.caches != nil || !slices.Contains(b.need.Namespaces, namespace) {
		b.result.passing = b.result.passing || len(namespacesInNeed(services, deployments)) > 0
		return b.loader.candidates.of(ctx, b.door, services, deployments)
	}
	return b.loader.candidates.in(ctx, b.door, namespace)
}

func (b *build) resolve() {
	b.view.Objects = b.result.objects
	enrolled := mesh.Enrol(b.result.objects, b.view.Config)
	b.view.Apps, b.view.Ingresses, b.result.findings = enrolled.Apps, enrolled.Ingresses, enrolled.Findings
	b.view.Services = nil
	known := map[mesh.Name]bool{}
	for _, s := range b.result.objects.Services {
		if service := serviceOf(s); !known[service.Name] {
			known[service.Name] = true
			b.view.Services = append(b.view.Services, service)
		}
	}
}

func serviceOf(s *corev1.Service) mesh.Service {
	return mesh.Service{
		Name: mesh.Name{Namespace: s.Namespace, Name: s.Name}, Type: s.Spec.Type, Selector: s.Spec.Selector, Ports: s.Spec.Ports,
	}
}

// callers adds the namespaces of the apps' callers: their policies decide whether a call leaves.
func (b *build) callers(ctx context.Context) error {
	before := slices.Clone(b.concerned)
	for _, app := range b.view.Apps {
		for _, caller := range app.Callers {
			b.concern(caller.Namespace)
		}
	}
	if b.need.AllNamespaces || len(before) == len(b.concerned) {
		return nil
	}
	for _, ns := range b.concerned {
		if slices.Contains(before, ns) {
			continue
		}
		if err := b.enrolledIn(ctx, ns); err != nil {
			return err
		}
	}
	b.resolve()
	return nil
}

func (b *build) namespaces(ctx context.Context) error {
	for _, name := range b.concerned {
		ns, err := get[*corev1.Namespace](ctx, b.door, kindNamespace, client.ObjectKey{Name: name})
		if err != nil {
			return err
		}
		if ns == nil {
			continue
		}
		b.view.Namespaces[name] = maps.Clone(ns.Labels)
		if ns.DeletionTimestamp == nil {
			b.result.standing = append(b.result.standing, name)
		} else {
			b.view.Terminating = append(b.view.Terminating, name)
		}
	}
	return nil
}

// referred adds the Services that the decision names, enrolled or not, and those that apps' traffic is divided between. A narrow load has no
// use for the names unless one is an app's, whose traffic the route may divide.
func (b *build) referred(ctx context.Context) error {
	var services []mesh.Name
	ofApp := func(name mesh.Name) bool { _, ok := b.view.AppOfService(name); return ok }
	if !b.need.Narrow || slices.ContainsFunc(b.need.Services, ofApp) {
		services = slices.Clone(b.need.Services)
	}
	for _, split := range b.view.ServiceSplits {
		services = append(services, split.Backend)
	}
	for _, name := range services {
		if _, known := b.view.Service(name); known {
			continue
		}
		service, err := b.service(ctx, name)
		if err != nil {
			return err
		}
		if service != nil {
			b.view.Services = append(b.view.Services, serviceOf(service))
		}
	}
	return nil
}

// service is a Service by name: most that routes name are enrolled, or stand in front of companions, and are cached.
func (b *build) service(ctx context.Context, name mesh.Name) (*corev1.Service, error) {
	for _, k := range []kind{kindService, ownedService} {
		reader, ok := b.door.cached(k)
		if !ok {
			continue
		}
		if held, ok := reader.(*packs); ok {
			if p := held.of(name); p != nil {
				return p.service()
			}
			continue
		}
		service := &corev1.Service{}
		err := reader.Get(ctx, name, service)
		if err == nil {
			return service, nil
		}
		if !apierrors.IsNotFound(err) {
			return nil, fmt.Errorf("get cached Service %s: %w", name, err)
		}
	}
	b.result.passing = true
	return get[*corev1.Service](ctx, b.door, kindService, name)
}

func (b *build) grants(ctx context.Context) error {
	for _, ns := range b.concerned {
		for _, s := range b.grantScopes(ns) {
			grants, err := listed[*gatewayv1beta1.ReferenceGrant](ctx, b, kindReferenceGrant, s)
			if err != nil {
				return err
			}
			for _, grant := range grants {
				b.view.Grants = append(b.view.Grants, grantsOf(grant)...)
			}
		}
	}
	return nil
}

// grantScopes are where the grants of a namespace are read: the namespace of a Gateway has one for each namespace with routes, of which a
// decision asks for those of the namespaces concerned.
func (b *build) grantScopes(ns string) []scope {
	if b.need.AllNamespaces || b.door.caches == nil {
		return []scope{{namespace: ns}}
	}
	var scopes []scope
	for _, from := range b.concerned {
		scopes = append(scopes, scope{namespace: ns, index: byGranted(), key: from})
	}
	return scopes
}

// grantsOf is what a ReferenceGrant permits routes to refer to.
func grantsOf(grant *gatewayv1beta1.ReferenceGrant) []mesh.Grant {
	var grants []mesh.Grant
	for _, from := range grant.Spec.From {
		if from.Group != gatewayv1.GroupName {
			continue
		}
		for _, to := range grant.Spec.To {
			if to.Group != corev1.GroupName || to.Kind != "Service" {
				continue
			}
			g := mesh.Grant{Namespace: grant.Namespace, FromKind: string(from.Kind), FromNamespace: string(from.Namespace)}
			if to.Name != nil {
				g.Service = string(*to.Name)
			}
			grants = append(grants, g)
		}
	}
	return grants
}

// policies compiles the policies of the namespaces concerned and the clusterwide ones.
func (b *build) policies(ctx context.Context) error {
	for _, ns := range b.concerned {
		if err := b.ciliumPolicies(ctx, ns); err != nil {
			return err
		}
		kubernetes, err := listed[*networkingv1.NetworkPolicy](ctx, b, kindNetworkPolicy, scope{namespace: ns})
		if err != nil {
			return err
		}
		for _, p := range kubernetes {
			b.add(p, func() *policy.Policy { return policy.CompileKNP(p) })
		}
	}
	clusterwide, err := listed[*ciliumv2.CiliumClusterwideNetworkPolicy](ctx, b, kindClusterwidePolicy, scope{})
	if err != nil {
		return err
	}
	for _, p := range clusterwide {
		b.add(p, func() *policy.Policy { return policy.CompileCCNP(p) })
	}
	groups, err := cidrGroups(ctx, b.door)
	if err != nil {
		return err
	}
	for _, g := range groups {
		b.groups = append(b.groups, policy.CIDRGroupOf(g))
	}
	return nil
}

// ciliumPolicies compiles those of a namespace.
func (b *build) ciliumPolicies(ctx context.Context, namespace string) error {
	found, err := listed[client.Object](ctx, b, kindCiliumPolicy, scope{namespace: namespace})
	if err != nil {
		return err
	}
	for _, object := range found {
		if p, ok := object.(*packed); ok {
			compiled, err := p.policy()
			if err != nil {
				return err
			}
			b.compiled = append(b.compiled, compiled)
			continue
		}
		typed, err := wholeOf[*ciliumv2.CiliumNetworkPolicy](object)
		if err != nil {
			return err
		}
		b.add(object, func() *policy.Policy { return policy.CompileCNP(typed) })
	}
	return nil
}

func (b *build) add(object client.Object, compile func() *policy.Policy) {
	b.compiled = append(b.compiled, b.loader.compiled.of(object, compile))
}

// environment reads what is said once for the whole cluster: Cilium's settings, Dapr's trust bundle, whether Dapr's kinds are served.
func (b *build) environment(ctx context.Context) error {
	config := b.view.Config
	settings, err := get[*corev1.ConfigMap](ctx, b.door, kindConfigMap, client.ObjectKey{Namespace: config.Cilium.Namespace, Name: ciliumConfigMap})
	if err != nil {
		return err
	}
	agent, err := get[*appsv1.DaemonSet](ctx, b.door, kindCiliumAgent, client.ObjectKey{Namespace: config.Cilium.Namespace, Name: ciliumDaemonSet})
	if err != nil {
		return err
	}
	b.view.Cilium = ciliumOf(settings, agent)
	bundle, err := get[*corev1.ConfigMap](ctx, b.door, kindConfigMap, client.ObjectKey{Namespace: config.Dapr.ControlPlaneNamespace, Name: trustBundle})
	if err != nil {
		return err
	}
	b.result.trust = trustOf(bundle, b.loader.now())
	if _, b.result.dapr, err = list[client.Object](ctx, b.door, ownedConfiguration, scope{namespace: config.Dapr.ControlPlaneNamespace}); err != nil {
		return fmt.Errorf("find out whether Dapr is installed: %w", err)
	}
	if !b.result.dapr {
		b.note("Configuration")
		return nil
	}
	b.result.daprVersion = b.loader.dapr.version(ctx, b.door, config.Dapr.ControlPlaneNamespace)
	return nil
}
