// SPDX-License-Identifier: Apache-2.0

package companion_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"
	psaapi "k8s.io/pod-security-admission/api"
	psapolicy "k8s.io/pod-security-admission/policy"
	"pgregory.net/rapid"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/companion"
)

// daprKeys draws annotations of Dapr's, good and bad, known and unknown: rendering has to be safe with any.
func daprKeys() *rapid.Generator[map[string]string] {
	good := everyMappedKey()
	names := []string{"dapr.io/enabled", "dapr.io/volume-mounts", "dapr.io/no-such-key", "dapr.io/config"}
	names = append(names, slices.Sorted(maps.Keys(good))...)
	for _, key := range companion.Keys() {
		names = append(names, key.Name)
	}
	return rapid.Custom(func(t *rapid.T) map[string]string {
		drawn := map[string]string{}
		for _, name := range rapid.SliceOfN(rapid.SampledFrom(names), 0, 8).Draw(t, "keys") {
			value := rapid.OneOf(
				rapid.Just(good[name]),
				rapid.SampledFrom([]string{"", "true", "false", "-1", "0", "9999999999999999999", "1e3", "4Gi", "1ns", " ", ",", "a=b"}),
				rapid.String(),
			).Draw(t, "value")
			drawn[name] = value
		}
		return drawn
	})
}

func appID() *rapid.Generator[string] { return rapid.StringMatching(`[a-z]([a-z0-9-]{0,52}[a-z0-9])?`) }

func strategies(t *rapid.T) (mesh.Strategy, int32) {
	if rapid.Bool().Draw(t, "daemonset") {
		return mesh.StrategyDaemonSet, 0
	}
	return mesh.StrategyDeployment, rapid.Int32Range(1, 100).Draw(t, "replicas")
}

func apps() *rapid.Generator[mesh.App] {
	return rapid.Custom(func(t *rapid.T) mesh.App {
		a := whoami()
		a.ID = appID().Draw(t, "id")
		a.Port = rapid.OneOf(rapid.SampledFrom([]int32{3500, 50001, 3510, 50011}), rapid.Int32Range(1, 65535)).Draw(t, "port")
		a.Protocol = rapid.SampledFrom([]string{"http", "https", "h2c", "grpc", "grpcs"}).Draw(t, "protocol")
		a.Strategy, a.Replicas = strategies(t)
		a.LocalRedirect = rapid.Bool().Draw(t, "localRedirect")
		a.DaprAPI = rapid.Bool().Draw(t, "daprAPI")
		a.Dapr = daprKeys().Draw(t, "dapr")
		return a
	})
}

func ingresses() *rapid.Generator[mesh.Ingress] {
	return rapid.Custom(func(t *rapid.T) mesh.Ingress {
		g := ingress()
		g.ID = appID().Draw(t, "id")
		g.Strategy, g.Replicas = strategies(t)
		g.LocalRedirect = rapid.Bool().Draw(t, "localRedirect")
		g.GRPC = rapid.Bool().Draw(t, "grpc")
		g.Dapr = daprKeys().Draw(t, "dapr")
		return g
	})
}

func inputs() *rapid.Generator[companion.Input] {
	return rapid.Custom(func(t *rapid.T) companion.Input {
		in := input()
		in.Callers = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) mesh.AppRef {
			return mesh.AppRef{Namespace: appID().Draw(t, "namespace"), ID: appID().Draw(t, "caller")}
		}), 0, 4).Draw(t, "callers")
		in.Autoscaled = rapid.Bool().Draw(t, "autoscaled")
		in.Config.Companion.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
		in.Config.Companion.NodeSelector = map[string]string{"pool": "system"}
		if rapid.Bool().Draw(t, "cilium") {
			in.Config.Dapr.Encryption = mesh.EncryptionCilium
		}
		return in
	})
}

// rendered draws an app or an ingress and renders it twice, the second time after everything in the first result was overwritten: what
// is rendered must depend on the arguments alone and share nothing with them.
func rendered(t *rapid.T) []runtime.Object {
	in := inputs().Draw(t, "input")
	var render func() []runtime.Object
	var arguments func() string
	if rapid.Bool().Draw(t, "ingress") {
		g := ingresses().Draw(t, "gateway")
		render = func() []runtime.Object { return companion.Ingress(g, in) }
		arguments = func() string { return dump(g, in.Config, in.Callers, fmt.Sprint(in.TrustDomains)) }
	} else {
		a := apps().Draw(t, "app")
		render = func() []runtime.Object { return companion.App(a, in) }
		arguments = func() string { return dump(a, in.Config, in.Callers, fmt.Sprint(in.TrustDomains)) }
	}
	before := arguments()
	first := render()
	text := dump(first)
	for _, object := range first {
		overwrite(object)
	}
	second := render()
	if diff := cmp.Diff(text, dump(second)); diff != "" {
		t.Fatalf("rendered differently the second time (-first +second):\n%s", diff)
	}
	if diff := cmp.Diff(before, arguments()); diff != "" {
		t.Fatalf("modified its arguments (-before +after):\n%s", diff)
	}
	return second
}

func dump(values ...any) string {
	data, err := json.MarshalIndent(values, "", "  ")
	if err != nil {
		panic(err)
	}
	return string(data)
}

// overwrite changes what a rendered object could share with the arguments.
func overwrite(object runtime.Object) {
	accessor, err := meta.Accessor(object)
	if err != nil {
		panic(err)
	}
	for key := range accessor.GetLabels() {
		labels := accessor.GetLabels()
		labels[key] = "overwritten"
		accessor.SetLabels(labels)
	}
	template := podTemplate(object)
	if template == nil {
		return
	}
	for i := range template.Spec.Tolerations {
		template.Spec.Tolerations[i].Key = "overwritten"
	}
	for key := range template.Spec.NodeSelector {
		template.Spec.NodeSelector[key] = "overwritten"
	}
	for _, list := range []corev1.ResourceList{template.Spec.Containers[0].Resources.Requests, template.Spec.Containers[0].Resources.Limits} {
		clear(list)
	}
}

func podTemplate(object runtime.Object) *corev1.PodTemplateSpec {
	switch w := object.(type) {
	case *appsv1.Deployment:
		return &w.Spec.Template
	case *appsv1.DaemonSet:
		return &w.Spec.Template
	default:
		return nil
	}
}

func TestRenderingIsAFunction(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { rendered(t) })
}

func TestEveryObjectIsLabelledAndOwned(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		objects := rendered(t)
		seen := map[string]bool{}
		for i, object := range objects {
			gvk := object.GetObjectKind().GroupVersionKind()
			if !slices.Contains(companion.Kinds(), gvk) {
				t.Errorf("%v is not one of Kinds", gvk)
			}
			accessor, err := meta.Accessor(object)
			if err != nil {
				t.Fatal(err)
			}
			key := fmt.Sprint(gvk, accessor.GetName())
			if seen[key] {
				t.Errorf("%s twice", key)
			}
			seen[key] = true
			checkMeta(t, accessor)
			if companion.IsWorkload(object) != (i == len(objects)-1) {
				t.Errorf("%v at %d of %d: the workload comes last, alone", gvk, i, len(objects))
			}
		}
	})
}

func checkMeta(t *rapid.T, object metav1.Object) {
	if errs := validation.IsDNS1035Label(object.GetName()); len(errs) > 0 {
		t.Errorf("name %q: %v", object.GetName(), errs)
	}
	labels := object.GetLabels()
	if labels[mesh.LabelManagedBy] != mesh.ManagedByDaprise || labels[mesh.LabelInstance] == "" {
		t.Errorf("%s: labels %v", object.GetName(), labels)
	}
	owner := metav1.GetControllerOf(object)
	if owner == nil || owner.UID == "" || owner.BlockOwnerDeletion == nil || *owner.BlockOwnerDeletion {
		t.Errorf("%s: owner %v", object.GetName(), owner)
	}
}

func TestPodsAreRestrictedAndClosed(t *testing.T) {
	evaluator, err := psapolicy.NewEvaluator(psapolicy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	restricted := psaapi.LevelVersion{Level: psaapi.LevelRestricted, Version: psaapi.LatestVersion()}
	rapid.Check(t, func(t *rapid.T) {
		objects := rendered(t)
		template := podTemplate(objects[len(objects)-1])
		for _, result := range evaluator.EvaluatePod(restricted, &template.ObjectMeta, &template.Spec) {
			if !result.Allowed {
				t.Errorf("Pod Security restricted: %s: %s", result.ForbiddenReason, result.ForbiddenDetail)
			}
		}
		checkClosed(t, template)
	})
}

// checkClosed: whatever a user annotates, a companion runs a listed image with one container, one volume, no Secret and no token.
func checkClosed(t *rapid.T, template *corev1.PodTemplateSpec) {
	spec := template.Spec
	if _, found := template.Annotations["dapr.io/enabled"]; found {
		t.Error("dapr.io/enabled on the template")
	}
	if len(spec.Containers) != 1 || len(spec.InitContainers) != 0 || len(spec.Volumes) != 1 || spec.Volumes[0].Projected == nil {
		t.Errorf("containers %v, volumes %v", spec.Containers, spec.Volumes)
	}
	if spec.AutomountServiceAccountToken == nil || *spec.AutomountServiceAccountToken {
		t.Error("the API token is mounted")
	}
	container := spec.Containers[0]
	if !slices.Contains(config().Dapr.Images, container.Image) {
		t.Errorf("image %q", container.Image)
	}
	for _, env := range container.Env {
		if env.ValueFrom != nil && env.ValueFrom.FieldRef == nil {
			t.Errorf("variable %s from %v", env.Name, env.ValueFrom)
		}
	}
	checkArgs(t, container)
	for name, request := range container.Resources.Requests {
		if limit, found := container.Resources.Limits[name]; found && request.Cmp(limit) > 0 {
			t.Errorf("%s: request %v over limit %v", name, &request, &limit)
		}
	}
}

func checkArgs(t *rapid.T, container corev1.Container) {
	seen := map[string]string{}
	for _, arg := range container.Args[1:] {
		flag, value, _ := strings.Cut(arg, "=")
		if _, twice := seen[flag]; twice || !strings.HasPrefix(flag, "--") {
			t.Errorf("argument %q", arg)
		}
		seen[flag] = value
	}
	if seen["--app-port"] == seen["--dapr-http-port"] || seen["--app-port"] == seen["--dapr-grpc-port"] {
		t.Errorf("app-port %s is one of daprd's own: it would not start", seen["--app-port"])
	}
	if seen["--dapr-internal-grpc-port"] != "50002" {
		t.Errorf("internal port %s", seen["--dapr-internal-grpc-port"])
	}
}

func TestCallersAreASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, in := apps().Draw(t, "app"), inputs().Draw(t, "input")
		shuffled := in
		shuffled.Callers = append(rapid.Permutation(in.Callers).Draw(t, "order"), in.Callers...)
		if diff := cmp.Diff(dump(companion.App(a, in)), dump(companion.App(a, shuffled))); diff != "" {
			t.Fatalf("order or repetition of callers matters (-once +shuffled):\n%s", diff)
		}
	})
}

func TestKindsEndWithTheWorkloads(t *testing.T) {
	kinds := companion.Kinds()
	want := []schema.GroupVersionKind{
		appsv1.SchemeGroupVersion.WithKind("Deployment"), appsv1.SchemeGroupVersion.WithKind("DaemonSet"),
	}
	if diff := cmp.Diff(want, kinds[len(kinds)-2:]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
