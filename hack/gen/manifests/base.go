// SPDX-License-Identifier: Apache-2.0

// Package manifests holds what deploy/ says as typed values. What the API server is told about the webhooks comes from webhook/hooks, the
// config file's defaults from mesh; nothing is written down twice.
package manifests

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/webhook/hooks"
)

// File is one file under deploy/, with the objects in the order of their documents.
type File struct {
	Path    string
	Objects []runtime.Object
}

// Files are all generated files of objects. The kustomization files beside them are written by Kustomizations.
func Files(config mesh.Config) ([]File, error) {
	configMap, err := configMap(config)
	if err != nil {
		return nil, err
	}
	mutating, validating := hooks.Configurations(hooks.Options{Labels: labels(), ExemptNamespaces: config.ExemptNamespaces})
	guard, guardBinding := hooks.Guard()
	access, accessBinding := hooks.Access()
	powers, powersBinding := hooks.Powers()
	images, imagesBinding := hooks.PowersOverImages()
	syntax, syntaxBinding := hooks.Syntax(hooks.Options{ExemptNamespaces: config.ExemptNamespaces})
	return []File{
		{Path: "base/namespace.yaml", Objects: []runtime.Object{namespace()}},
		{Path: "base/config.yaml", Objects: []runtime.Object{configMap}},
		{Path: "base/rbac.yaml", Objects: rbac(config)},
		{Path: "base/guard.yaml", Objects: []runtime.Object{guard, guardBinding, access, accessBinding, powers, powersBinding, images, imagesBinding}},
		{Path: "base/server.yaml", Objects: []runtime.Object{service(), deployment(configMap), disruptionBudget()}},
		{Path: "base/webhooks.yaml", Objects: []runtime.Object{mutating, validating}},
		{Path: "components/syntax/syntax.yaml", Objects: []runtime.Object{syntax, syntaxBinding}},
		{Path: "overlays/cert-manager/certificates.yaml", Objects: certificates()},
	}, nil
}

// labels of every object of ours. Not managed-by=daprise: that marks what the server makes, and what it may delete.
func labels() map[string]string {
	return map[string]string{"app.kubernetes.io/name": mesh.WebhookService, "app.kubernetes.io/part-of": "daprise"}
}

func meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Namespace: mesh.SystemNamespace, Labels: labels()}
}

func clusterMeta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Labels: labels()}
}

func namespace() *corev1.Namespace {
	n := &corev1.Namespace{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}, ObjectMeta: clusterMeta(mesh.SystemNamespace)}
	for _, mode := range []string{"enforce", "audit", "warn"} {
		n.Labels["pod-security.kubernetes.io/"+mode] = "restricted"
		n.Labels["pod-security.kubernetes.io/"+mode+"-version"] = "latest"
	}
	return n
}

// configMap holds the config file with every default written out, and what the policy on daprise's own ServiceAccount reads of it.
func configMap(config mesh.Config) (*corev1.ConfigMap, error) {
	file, err := yaml.Marshal(config)
	if err != nil {
		return nil, fmt.Errorf("render the config file: %w", err)
	}
	return &corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: meta(hooks.ConfigMapName),
		Data: map[string]string{
			hooks.KeyConfig:   string(file),
			hooks.KeyImages:   strings.Join(config.Dapr.Images, "\n"),
			hooks.KeyAudience: "spiffe://" + config.Dapr.TrustDomain + "/ns/" + config.Dapr.ControlPlaneNamespace + "/dapr-sentry",
		},
	}, nil
}
