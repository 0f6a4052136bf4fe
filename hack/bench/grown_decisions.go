// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/webhook"
)

// What is decided at each size.
const (
	decideMutate    = "mutate a new route"
	decideValidate  = "validate it"
	decidePolicy    = "a policy of a team"
	decideEnrolment = "an enrolment"
	// These two may concern every companion of the cluster.
	decideClusterwide = "a clusterwide policy"
	decideNamespace   = "labels of a namespace"
)

// decided are the kinds, in the order of the columns.
func decided() []string {
	return []string{decideMutate, decideValidate, decidePolicy, decideEnrolment, decideClusterwide, decideNamespace}
}

// callsOf is how many decisions of a kind are measured: fewer where each looks at the whole cluster.
func (g *grown) callsOf(kind string) int {
	if !ofTeam(kind) {
		return max(3, g.calls/50)
	}
	if ofRoute(kind) {
		// As many as can be made before what was read of pods is read again.
		return min(g.calls, 7*g.teams())
	}
	return g.calls
}

// ofRoute says that a decision is about one route.
func ofRoute(kind string) bool { return kind == decideMutate || kind == decideValidate }

// ofTeam says that a decision is about what one team has.
func ofTeam(kind string) bool { return kind != decideClusterwide && kind != decideNamespace }

// decide is the mean time of a kind of decision about apps drawn at random, as the replica counts it: loading and deciding, without the way
// there and back. No decision finds what another has loaded.
func (g *grown) decide(ctx context.Context, kind string) (time.Duration, error) {
	caller := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	defer caller.CloseIdleConnections()
	about := func(app int) error {
		body, err := g.review(kind, app)
		if err != nil {
			return err
		}
		path := webhook.PathValidate
		if kind == decideMutate {
			path = webhook.PathMutate
		}
		return g.call(ctx, caller, path, body)
	}
	calls := g.callsOf(kind)
	// What is read and kept for a team is read for each of them before it is measured.
	if ofTeam(kind) {
		time.Sleep(keptPods)
	}
	for team := 0; ofTeam(kind) && team < g.size; team += appsPerNamespace {
		if err := about(team); err != nil {
			return 0, err
		}
	}
	profiled := g.profileOf(ctx, kind)
	before, err := g.metrics(ctx)
	if err != nil {
		return 0, err
	}
	for i, app := range g.drawn(calls) {
		// The next round of teams begins when nothing is kept of the last: what is measured are decisions that load.
		if ofRoute(kind) && i%g.teams() == 0 {
			time.Sleep(keptLoads)
		}
		if err := about(app); err != nil {
			return 0, err
		}
	}
	after, err := g.metrics(ctx)
	if err := errors.Join(err, profiled.wait()); err != nil {
		return 0, err
	}
	const sum, count = "daprise_admission_duration_seconds_sum", "daprise_admission_duration_seconds_count"
	if n := after[count] - before[count]; n != float64(calls) {
		return 0, fmt.Errorf("%.0f decisions counted, want %d", n, calls)
	}
	return time.Duration((after[sum] - before[sum]) / float64(calls) * float64(time.Second)), nil
}

// keptPods is longer than pods are believed (controller/pods.go): none that was read before is to expire while decisions are measured.
const keptPods = 10100 * time.Millisecond

// keptLoads is longer than what was loaded for one route is kept for the next (controller/narrow.go).
const keptLoads = 1100 * time.Millisecond

func (g *grown) teams() int { return (g.size + appsPerNamespace - 1) / appsPerNamespace }

// drawn are apps at random: of each team one, in any order, and then of each team one again.
func (g *grown) drawn(calls int) []int {
	var apps []int
	for len(apps) < calls {
		for _, team := range g.random.Perm(g.teams()) {
			apps = append(apps, min(team*appsPerNamespace+g.random.IntN(appsPerNamespace), g.size-1))
		}
	}
	return apps[:calls]
}

func (g *grown) call(ctx context.Context, caller *http.Client, path string, body []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, g.cluster.ServerURL()+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := caller.Do(request)
	if err != nil {
		return err
	}
	answer, err := io.ReadAll(response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return err
	}
	want := `"allowed":true`
	if path == webhook.PathMutate {
		want = `"patch":`
	}
	if response.StatusCode != http.StatusOK || !bytes.Contains(answer, []byte(want)) {
		return fmt.Errorf("HTTP %d without %s: %.2000s", response.StatusCode, want, answer)
	}
	return nil
}

// review is one request about an app.
func (g *grown) review(kind string, i int) ([]byte, error) {
	ref := mesh.AppRef{Namespace: teamOf(i), ID: appName(i)}
	switch kind {
	case decideMutate:
		return asked{ref: ref, resource: resourceOf(gatewayv1.GroupName, "v1", "httproutes"), object: direct(ref, "more-"+ref.ID)}.encoded()
	case decideValidate:
		rewritten, err := g.grower.route(appOf(ref), "more-"+ref.ID)
		if err != nil {
			return nil, err
		}
		return asked{ref: ref, resource: resourceOf(gatewayv1.GroupName, "v1", "httproutes"), object: rewritten}.encoded()
	case decidePolicy, decideClusterwide:
		content, err := policyOf(ref)
		if err != nil {
			return nil, err
		}
		if kind == decidePolicy {
			return asked{ref: ref, resource: resourceOf("cilium.io", "v2", "ciliumnetworkpolicies"), object: content, old: content}.encoded()
		}
		ref.Namespace = ""
		content["kind"], content["metadata"] = "CiliumClusterwideNetworkPolicy", map[string]any{"name": "bench"}
		// What it lets in by a label, it would let in from every namespace.
		if spec, ok := content["spec"].(map[string]any); ok {
			spec["ingress"] = []any{map[string]any{"fromEntities": []any{"host"}}}
		}
		return asked{ref: ref, resource: resourceOf("cilium.io", "v2", "ciliumclusterwidenetworkpolicies"), object: content}.encoded()
	case decideNamespace:
		before := &corev1.Namespace{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
			ObjectMeta: metav1.ObjectMeta{Name: ref.Namespace, Labels: map[string]string{mesh.LabelNamespaceName: ref.Namespace}},
		}
		after := before.DeepCopy()
		after.Labels["team"] = ref.ID
		return asked{ref: ref, resource: resourceOf("", "v1", "namespaces"), object: after, old: before}.encoded()
	default:
		service := serviceOf(ref)
		return asked{ref: ref, resource: resourceOf("", "v1", "services"), object: service, old: service}.encoded()
	}
}

func policyOf(ref mesh.AppRef) (map[string]any, error) {
	content := map[string]any{}
	if err := yaml.Unmarshal([]byte(ingressToApp(ref.Namespace, ref.ID)[0]), &content); err != nil {
		return nil, fmt.Errorf("decode a policy: %w", err)
	}
	return content, nil
}

func resourceOf(group, version, resource string) metav1.GroupVersionResource {
	return metav1.GroupVersionResource{Group: group, Version: version, Resource: resource}
}

// asked is one request: a creation, or an update where there is an old object.
type asked struct {
	ref         mesh.AppRef
	resource    metav1.GroupVersionResource
	object, old any
}

func (a asked) encoded() ([]byte, error) {
	request := &admissionv1.AdmissionRequest{
		UID: types.UID("bench-" + a.ref.ID), Resource: a.resource, Namespace: a.ref.Namespace, Operation: admissionv1.Create,
	}
	var err error
	if request.Object.Raw, err = json.Marshal(a.object); err != nil {
		return nil, fmt.Errorf("encode an object: %w", err)
	}
	if a.old != nil {
		request.Operation = admissionv1.Update
		if request.OldObject.Raw, err = json.Marshal(a.old); err != nil {
			return nil, fmt.Errorf("encode an object: %w", err)
		}
	}
	var of metav1.PartialObjectMetadata
	if err := json.Unmarshal(request.Object.Raw, &of); err != nil {
		return nil, fmt.Errorf("decode an object: %w", err)
	}
	request.Name, request.Kind = of.Name, metav1.GroupVersionKind{Group: a.resource.Group, Version: a.resource.Version, Kind: of.Kind}
	return json.Marshal(&admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: admissionv1.SchemeGroupVersion.String(), Kind: "AdmissionReview"}, Request: request,
	})
}

func serviceOf(ref mesh.AppRef) *corev1.Service {
	return &corev1.Service{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Service"}, ObjectMeta: enrolledMeta(ref.Namespace, ref.ID, ref.ID),
		Spec: corev1.ServiceSpec{
			ClusterIP: corev1.ClusterIPNone, Selector: map[string]string{"app": ref.ID}, Ports: []corev1.ServicePort{{Name: "http", Port: 80}},
		},
	}
}

// appOf is an app as it is enrolled, with its companion ready.
func appOf(ref mesh.AppRef) mesh.App {
	found := mesh.Enrol(mesh.Objects{Services: []*corev1.Service{serviceOf(ref)}}, mesh.DefaultConfig())
	app := found.Apps[0]
	app.Companion = mesh.CompanionState{Live: true, Ready: true}
	return app
}

// settled is how long the queues have to be empty for controllers to be at rest.
const settled = 5 * time.Second

// begins lets the replica lead, and waits until it has nothing more to do.
func (g *grown) begins(ctx context.Context) error {
	if _, err := g.cluster.Kubectl(ctx, "delete", "lease", "-n", mesh.SystemNamespace, "daprise-webhook"); err != nil {
		return err
	}
	return g.rest(ctx)
}

// change writes one annotation of the Gateway that changes every route, and tells how long it takes until the last route has changed.
func (g *grown) change(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	gateway := &gatewayv1.Gateway{ObjectMeta: metav1.ObjectMeta{Namespace: infra, Name: "gateway"}}
	patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:"header"}}}`, mesh.AnnotationInvoke)
	if err := g.grower.api.Patch(ctx, gateway, client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
		return 0, err
	}
	for {
		changed := 0
		routes := &gatewayv1.HTTPRouteList{}
		if err := g.grower.api.List(ctx, routes); err != nil {
			return 0, err
		}
		for i := range routes.Items {
			if inHeaderForm(&routes.Items[i]) {
				changed++
			}
		}
		if changed == g.size {
			return time.Since(began), nil
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(500 * time.Millisecond):
		}
	}
}

func inHeaderForm(route *gatewayv1.HTTPRoute) bool {
	for _, f := range route.Spec.Rules[0].Filters {
		if f.RequestHeaderModifier == nil {
			continue
		}
		for _, h := range f.RequestHeaderModifier.Set {
			if strings.EqualFold(string(h.Name), mesh.HeaderAppID) {
				return true
			}
		}
	}
	return false
}

// rest waits until the controllers have had nothing to do for a while.
func (g *grown) rest(ctx context.Context) error {
	for calm := time.Now(); time.Since(calm) < settled; {
		values, err := g.metrics(ctx)
		if err != nil {
			return err
		}
		if values["workqueue_depth"] > 0 || values["controller_runtime_active_workers"] > 0 || values["controller_runtime_reconcile_total"] < float64(g.size) {
			calm = time.Now()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
	return nil
}
