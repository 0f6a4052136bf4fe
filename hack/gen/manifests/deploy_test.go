// SPDX-License-Identifier: Apache-2.0

package manifests_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/hack/gen/manifests"
	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/webhook/hooks"
)

const (
	base        = "base"
	certManager = "overlays/cert-manager"
)

// types are the Go types that every document must fit, without a field too many.
func types(t *testing.T) *runtime.Scheme {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		admissionregistrationv1.AddToScheme, appsv1.AddToScheme, corev1.AddToScheme, policyv1.AddToScheme, rbacv1.AddToScheme, cmv1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	return scheme
}

// render builds a folder of deploy/ with kustomize and decodes every document strictly.
func render(t *testing.T, folder string) []runtime.Object {
	t.Helper()
	scheme := types(t)
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join("..", "..", "..", "deploy", folder))
	if err != nil {
		t.Fatal(err)
	}
	var objects []runtime.Object
	for _, resource := range resources.Resources() {
		document, err := resource.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		gvk := resource.GetGvk()
		object, err := scheme.New(schema.GroupVersionKind{Group: gvk.Group, Version: gvk.Version, Kind: gvk.Kind})
		if err != nil {
			t.Fatalf("%s: %v", resource.GetName(), err)
		}
		if err := yaml.UnmarshalStrict(document, object); err != nil {
			t.Errorf("%s %s: %v", gvk.Kind, resource.GetName(), err)
		}
		objects = append(objects, object)
	}
	return objects
}

// one finds the object of a type by name.
func one[T interface {
	runtime.Object
	GetName() string
}](t *testing.T, objects []runtime.Object, name string) T {
	t.Helper()
	for _, object := range objects {
		if o, ok := object.(T); ok && o.GetName() == name {
			return o
		}
	}
	var none T
	t.Fatalf("no %T %s", none, name)
	return none
}

func TestEveryDocumentFitsItsType(t *testing.T) {
	for folder, want := range map[string]int{base: 27, certManager: 27, "overlays/self-signed": 27, "overlays/dev": 26} {
		t.Run(folder, func(t *testing.T) {
			if got := len(render(t, folder)); got != want {
				t.Errorf("want %d objects, got %d", want, got)
			}
		})
	}
}

func TestRBACIsNarrow(t *testing.T) {
	for _, folder := range []string{base, certManager} {
		for _, object := range render(t, folder) {
			switch role := object.(type) {
			case *rbacv1.ClusterRole:
				checkRules(t, "ClusterRole "+role.Name, "", role.Rules)
			case *rbacv1.Role:
				checkRules(t, "Role "+role.Namespace+"/"+role.Name, role.Namespace, role.Rules)
			}
		}
	}
}

func checkRules(t *testing.T, name, namespace string, rules []rbacv1.PolicyRule) {
	t.Helper()
	for _, rule := range rules {
		all := slices.Concat(rule.APIGroups, rule.Resources, rule.Verbs, rule.ResourceNames)
		for _, word := range all {
			if strings.Contains(word, "*") {
				t.Errorf("%s: wildcard in %v", name, rule)
			}
		}
		for _, verb := range []string{"escalate", "bind", "impersonate", "deletecollection"} {
			if slices.Contains(rule.Verbs, verb) {
				t.Errorf("%s: verb %s in %v", name, verb, rule)
			}
		}
		if !slices.Contains(rule.Resources, "secrets") {
			continue
		}
		if namespace != mesh.SystemNamespace || (!slices.Equal(rule.ResourceNames, []string{"daprise-webhook-ca"}) && !slices.Equal(rule.Verbs, []string{"create"})) {
			t.Errorf("%s: Secrets by %v", name, rule)
		}
	}
}

func TestServer(t *testing.T) {
	objects := render(t, base)
	deployment := one[*appsv1.Deployment](t, objects, mesh.WebhookService)
	service := one[*corev1.Service](t, objects, mesh.WebhookService)
	budget := one[*policyv1.PodDisruptionBudget](t, objects, mesh.WebhookService)
	labels := deployment.Spec.Template.Labels
	for name, selector := range map[string]map[string]string{
		"Deployment": deployment.Spec.Selector.MatchLabels, "Service": service.Spec.Selector, "PodDisruptionBudget": budget.Spec.Selector.MatchLabels,
		"anti-affinity": deployment.Spec.Template.Spec.Affinity.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution[0].PodAffinityTerm.LabelSelector.MatchLabels,
		"spread":        deployment.Spec.Template.Spec.TopologySpreadConstraints[0].LabelSelector.MatchLabels,
	} {
		for key, value := range selector {
			if labels[key] != value || len(selector) == 0 {
				t.Errorf("%s selects %s=%s, pods have %q", name, key, value, labels[key])
			}
		}
	}
	container := deployment.Spec.Template.Spec.Containers[0]
	if container.Image != manifests.Image || strings.HasSuffix(container.Image, ":latest") || !strings.Contains(container.Image, ":v") {
		t.Errorf("image %s", container.Image)
	}
	if *deployment.Spec.Replicas != 2 {
		t.Errorf("%d replicas", *deployment.Spec.Replicas)
	}
	ports := map[string]int32{}
	for _, p := range container.Ports {
		ports[p.Name] = p.ContainerPort
	}
	for _, p := range service.Spec.Ports {
		if ports[p.TargetPort.StrVal] == 0 {
			t.Errorf("Service port %s goes to %s, which the container lacks", p.Name, p.TargetPort.StrVal)
		}
	}
	mutating := one[*admissionregistrationv1.MutatingWebhookConfiguration](t, objects, hooks.Name)
	for _, w := range mutating.Webhooks {
		if ref := w.ClientConfig.Service; ref.Name != service.Name || ref.Namespace != service.Namespace || *ref.Port != service.Spec.Ports[0].Port {
			t.Errorf("%s calls %+v", w.Name, ref)
		}
	}
}

// TestConfigIsTheDefault: what is installed is what the code does without a file, and what the policy on daprise itself reads is the
// same again.
func TestConfigIsTheDefault(t *testing.T) {
	configMap := one[*corev1.ConfigMap](t, render(t, base), hooks.ConfigMapName)
	got, err := mesh.ParseConfig([]byte(configMap.Data[hooks.KeyConfig]))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(mesh.DefaultConfig(), got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if diff := cmp.Diff(got.Dapr.Images, strings.Split(configMap.Data[hooks.KeyImages], "\n")); diff != "" {
		t.Errorf("images: -want +got:\n%s", diff)
	}
	if want := "spiffe://cluster.local/ns/dapr-system/dapr-sentry"; configMap.Data[hooks.KeyAudience] != want {
		t.Errorf("audience: want %s, got %s", want, configMap.Data[hooks.KeyAudience])
	}
}

func TestNamespaceIsRestricted(t *testing.T) {
	namespace := one[*corev1.Namespace](t, render(t, base), mesh.SystemNamespace)
	for _, mode := range []string{"enforce", "audit", "warn"} {
		if got := namespace.Labels["pod-security.kubernetes.io/"+mode]; got != "restricted" {
			t.Errorf("%s: %q", mode, got)
		}
	}
}

// TestNothingLooksLikeACompanion: objects with this label are what daprise made, and may delete.
func TestNothingLooksLikeACompanion(t *testing.T) {
	for _, folder := range []string{base, certManager} {
		for _, object := range render(t, folder) {
			o, ok := object.(interface{ GetLabels() map[string]string })
			if !ok || o.GetLabels()[mesh.LabelManagedBy] == mesh.ManagedByDaprise {
				t.Errorf("%T is labelled as daprise's own", object)
			}
		}
	}
}

func TestCertManager(t *testing.T) {
	objects := render(t, certManager)
	leaf := one[*cmv1.Certificate](t, objects, "daprise-webhook-serving")
	for _, annotations := range []map[string]string{
		one[*admissionregistrationv1.MutatingWebhookConfiguration](t, objects, hooks.Name).Annotations,
		one[*admissionregistrationv1.ValidatingWebhookConfiguration](t, objects, hooks.Name).Annotations,
	} {
		if got := annotations["cert-manager.io/inject-ca-from"]; got != leaf.Namespace+"/"+leaf.Name {
			t.Errorf("injected from %q", got)
		}
	}
	spec := one[*appsv1.Deployment](t, objects, mesh.WebhookService).Spec.Template.Spec
	if diff := cmp.Diff([]string{"--config=/etc/daprise/config.yaml", "--tls=files", "--tls-cert-dir=/etc/daprise-tls"}, spec.Containers[0].Args); diff != "" {
		t.Errorf("args: -want +got:\n%s", diff)
	}
	tls := spec.Volumes[len(spec.Volumes)-1]
	mount := spec.Containers[0].VolumeMounts[len(spec.Containers[0].VolumeMounts)-1]
	if tls.Secret == nil || tls.Secret.SecretName != leaf.Spec.SecretName || mount.Name != tls.Name || mount.MountPath != "/etc/daprise-tls" {
		t.Errorf("volume %+v, mount %+v", tls, mount)
	}
	if want := []string{"daprise-webhook.daprise-system.svc"}; !slices.Equal(leaf.Spec.DNSNames, want) {
		t.Errorf("DNS names %v", leaf.Spec.DNSNames)
	}
	ca := one[*cmv1.Certificate](t, objects, "daprise-ca")
	issuer := one[*cmv1.Issuer](t, objects, leaf.Spec.IssuerRef.Name)
	if !ca.Spec.IsCA || issuer.Spec.CA == nil || issuer.Spec.CA.SecretName != ca.Spec.SecretName {
		t.Errorf("CA %+v, issuer %+v", ca.Spec, issuer.Spec)
	}
	one[*cmv1.Issuer](t, objects, ca.Spec.IssuerRef.Name)
	for _, object := range objects {
		if o, ok := object.(interface{ GetName() string }); ok && o.GetName() == "daprise-webhook-trust" {
			t.Errorf("%T %s is left, though cert-manager does its work", object, o.GetName())
		}
	}
}
