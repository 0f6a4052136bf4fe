// SPDX-License-Identifier: Apache-2.0

package check

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/cmd/daprise/internal/live"
	"github.com/daprise/daprise/mesh"
)

// What the official dapr-shared chart leaves behind (dapr/dapr-shared chart/dapr-shared/templates/rbac.yaml, cmd/shared-init/main.go): its
// ClusterRoles bear no labels and are told by their names, its ConfigMap by the private key in it.
const (
	chartKey      = "dapr-cert-key"
	migrationPage = "docs/migrate-from-dapr-shared.md"
)

// chartRole matches the names of the chart's ClusterRoles and ClusterRoleBindings.
func chartRole() *regexp.Regexp {
	return regexp.MustCompile(`dapr-shared(-[a-z0-9-]+)?-(secret-reader|configmap-creator)$`)
}

// leftFacts is what the chart left.
type leftFacts struct {
	// roles and workloads are "kind/name" and "kind namespace/name".
	roles, workloads []string
	// keys are ConfigMaps, "namespace/name".
	keys []string
}

func leftovers(ctx context.Context, c *Cluster) ([]Line, error) {
	var f leftFacts
	for _, kind := range []string{"ClusterRole", "ClusterRoleBinding"} {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(schema.GroupVersionKind{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: kind + "List"})
		roles, err := live.List[*metav1.PartialObjectMetadata](ctx, c.client, list)
		if err != nil {
			return nil, err
		}
		for _, r := range roles {
			if chartRole().MatchString(r.Name) {
				f.roles = append(f.roles, strings.ToLower(kind)+"/"+r.Name)
			}
		}
	}
	configMaps, err := live.List[*corev1.ConfigMap](ctx, c.client, &corev1.ConfigMapList{})
	if err != nil {
		return nil, err
	}
	for _, m := range configMaps {
		if holdsKey(m) {
			f.keys = append(f.keys, m.Namespace+"/"+m.Name)
		}
	}
	workloads, err := chartWorkloads(ctx, c)
	f.workloads = workloads
	return judgeLeftovers(f), err
}

// holdsKey says whether a ConfigMap holds the private key of Dapr's CA, as the chart's does.
func holdsKey(m *corev1.ConfigMap) bool {
	return strings.Contains(m.Data[chartKey], "PRIVATE KEY") || strings.Contains(m.Data["issuer.key"], "PRIVATE KEY")
}

// chartWorkloads are the Dapr Shared instances of the chart. The chart's labels are those of daprise's companions, but for managed-by.
func chartWorkloads(ctx context.Context, c *Cluster) ([]string, error) {
	named := client.MatchingLabels{mesh.LabelName: mesh.NameDaprShared}
	deployments, err := live.List[*appsv1.Deployment](ctx, c.client, &appsv1.DeploymentList{}, named)
	if err != nil {
		return nil, err
	}
	daemonSets, err := live.List[*appsv1.DaemonSet](ctx, c.client, &appsv1.DaemonSetList{}, named)
	if err != nil {
		return nil, err
	}
	var found []string
	add := func(kind string, object metav1.Object) {
		if object.GetLabels()[mesh.LabelManagedBy] != mesh.ManagedByDaprise {
			found = append(found, fmt.Sprintf("%s %s/%s", kind, object.GetNamespace(), object.GetName()))
		}
	}
	for _, d := range deployments {
		add(mesh.KindDeployment, d)
	}
	for _, d := range daemonSets {
		add("DaemonSet", d)
	}
	slices.Sort(found)
	return found, nil
}

func judgeLeftovers(f leftFacts) []Line {
	var lines []Line
	for _, name := range f.keys {
		namespace, configMap, _ := strings.Cut(name, "/")
		lines = append(lines, hinted(Fail, "ConfigMap "+name+" holds a private key of Dapr's CA: whoever reads it can be any app",
			fmt.Sprintf("kubectl delete configmap -n %s %s, then renew Dapr's root certificate (%s).", namespace, configMap, migrationPage)))
	}
	for _, name := range f.workloads {
		lines = append(lines, hinted(Warn, name+" is an instance of the dapr-shared chart", "Move its app to daprise ("+migrationPage+")."))
	}
	if len(f.roles) > 0 {
		hint := "kubectl delete " + strings.Join(f.roles, " ")
		if len(f.workloads) > 0 {
			hint = "Once the instances are gone: " + hint
		}
		lines = append(lines, hinted(Warn, "ClusterRoles of the dapr-shared chart let its instances read every Secret: "+strings.Join(f.roles, ", "), hint))
	}
	if len(lines) == 0 {
		return []Line{ok("nothing is left of the chart")}
	}
	return lines
}
