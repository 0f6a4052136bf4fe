// SPDX-License-Identifier: Apache-2.0

package status_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/cmd/daprise/internal/status"
	"github.com/daprise/daprise/mesh"
)

func read[T any](t *testing.T, text string) *T {
	t.Helper()
	object := new(T)
	if err := yaml.UnmarshalStrict([]byte(text), object); err != nil {
		t.Fatal(err)
	}
	return object
}

const (
	whoami = `
metadata: {name: whoami, namespace: shop, labels: {daprise.dev/app-id: whoami}, annotations: {daprise.dev/enabled: "true"}}
spec: {selector: {app: whoami}, ports: [{name: http, port: 80}]}
status:
  conditions:
  - {type: Companion, status: "True", reason: Ready, message: the companion serves, lastTransitionTime: "2026-01-01T00:00:00Z"}
  - {type: Covered, status: "True", reason: Covered, message: every flow is allowed, lastTransitionTime: "2026-01-01T00:00:00Z"}
  - {type: Meshed, status: "False", reason: Joining, message: HTTPRoute shop/r does not go through the companion yet, lastTransitionTime: "2026-01-01T00:00:00Z"}
`
	held = `
metadata: {name: held, namespace: shop, annotations: {daprise.dev/enabled: "true"}}
spec: {selector: {app: held}, ports: [{name: http, port: 80}]}
status:
  conditions:
  - {type: Companion, status: "False", reason: Held, message: "it is open\nto all", lastTransitionTime: "2026-01-01T00:00:00Z"}
  - {type: Covered, status: "False", reason: NotIsolated, message: it is open, lastTransitionTime: "2026-01-01T00:00:00Z"}
`
	fresh = `
metadata: {name: fresh, namespace: default, annotations: {daprise.dev/enabled: "true"}}
spec: {selector: {app: fresh}, ports: [{name: http, port: 80}]}
`
	broken = `
metadata: {name: broken, namespace: shop, annotations: {daprise.dev/enabled: "yes"}}
spec: {selector: {app: broken}, ports: [{name: http, port: 80}]}
`
	left = `
metadata: {name: left, namespace: shop}
spec: {selector: {app: left}, ports: [{name: http, port: 80}]}
status:
  conditions:
  - {type: Meshed, status: "False", reason: Leaving, message: routes still send traffic through the companion, lastTransitionTime: "2026-01-01T00:00:00Z"}
`
	gateway = `
metadata: {name: gw, namespace: shop, annotations: {daprise.dev/enabled: "true", dapr.io/app-id: ingress}}
spec: {gatewayClassName: cilium, listeners: []}
status:
  conditions:
  - {type: Companion, status: "False", reason: Progressing, message: the companion is starting, lastTransitionTime: "2026-01-01T00:00:00Z"}
  - {type: Covered, status: "True", reason: Covered, message: every flow is allowed, lastTransitionTime: "2026-01-01T00:00:00Z"}
`
	companion = `
metadata:
  name: whoami-dapr
  namespace: shop
  labels: {app.kubernetes.io/managed-by: daprise, app.kubernetes.io/instance: whoami, app.kubernetes.io/component: app}
spec: {replicas: 2, selector: {}, template: {metadata: {}, spec: {containers: []}}}
status: {readyReplicas: 1}
`
	companionOfLeft = `
metadata:
  name: left-dapr
  namespace: shop
  labels: {app.kubernetes.io/managed-by: daprise, app.kubernetes.io/instance: left, app.kubernetes.io/component: app}
  ownerReferences: [{apiVersion: v1, kind: Service, name: left, uid: u, controller: true}]
spec: {selector: {}, template: {metadata: {}, spec: {containers: []}}}
status: {readyReplicas: 1}
`
	ingress = `
metadata:
  name: ingress-dapr
  namespace: shop
  labels: {app.kubernetes.io/managed-by: daprise, app.kubernetes.io/instance: ingress, app.kubernetes.io/component: ingress}
spec: {selector: {}, template: {metadata: {}, spec: {containers: []}}}
status: {numberReady: 3, desiredNumberScheduled: 4, currentNumberScheduled: 4, numberMisscheduled: 0}
`
	// through leads to whoami and to left.
	through = `
metadata: {name: r, namespace: other}
spec:
  rules:
  - backendRefs: [{name: ingress-dapr, namespace: shop, port: 3500}]
    filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /v1.0/invoke/whoami.shop/method//}}}]
  - backendRefs: [{name: ingress-dapr, namespace: shop, port: 3500}]
    filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /v1.0/invoke/left.shop/method//}}}]
`
)

func cluster(t *testing.T) status.Cluster {
	t.Helper()
	return status.Cluster{
		Config: mesh.DefaultConfig(),
		Objects: mesh.Objects{
			Services:    []*corev1.Service{read[corev1.Service](t, whoami), read[corev1.Service](t, held), read[corev1.Service](t, fresh), read[corev1.Service](t, broken), read[corev1.Service](t, left)},
			Deployments: []*appsv1.Deployment{read[appsv1.Deployment](t, companion), read[appsv1.Deployment](t, companionOfLeft)},
			Gateways:    []*gatewayv1.Gateway{read[gatewayv1.Gateway](t, gateway)},
		},
		DaemonSets: []*appsv1.DaemonSet{read[appsv1.DaemonSet](t, ingress)},
		HTTPRoutes: []*gatewayv1.HTTPRoute{read[gatewayv1.HTTPRoute](t, through)},
	}
}

func TestTable(t *testing.T) {
	rows := status.Rows(cluster(t))
	now := time.Date(2026, 1, 1, 0, 5, 0, 0, time.UTC)
	const narrow = `NAMESPACE   APP       OBJECT           COMPANION     READY   COVERED       ROUTES   JOINING
default     fresh     service/fresh    Unknown       0/0     Unknown       0        -
shop        -         service/broken   Refused       0/0     -             0        -
shop        held      service/held     Held          0/0     NotIsolated   0        -
shop        ingress   gateway/gw       Progressing   3/4     Covered       1        -
shop        left      service/left     Leaving       1/1     -             1        -
shop        whoami    service/whoami   Ready         1/2     Covered       1        5m
`
	if diff := cmp.Diff(narrow, status.Table(rows, status.Narrow, now)); diff != "" {
		t.Errorf("narrow (-want +got):\n%s", diff)
	}
	const wide = `NAMESPACE   APP       OBJECT           COMPANION     READY   COVERED       ROUTES   JOINING   MESSAGE
default     fresh     service/fresh    Unknown       0/0     Unknown       0        -         -
shop        -         service/broken   Refused       0/0     -             0        -         Service shop/broken refused: metadata.annotations[daprise.dev/enabled]: "yes" is not "true" or "false". Set "true" to enrol the Service, or remove the annotation. [DPR302]
shop        held      service/held     Held          0/0     NotIsolated   0        -         it is open
shop        ingress   gateway/gw       Progressing   3/4     Covered       1        -         the companion is starting
shop        left      service/left     Leaving       1/1     -             1        -         routes still send traffic through the companion
shop        whoami    service/whoami   Ready         1/2     Covered       1        5m        HTTPRoute shop/r does not go through the companion yet
`
	if diff := cmp.Diff(wide, status.Table(rows, status.Wide, now)); diff != "" {
		t.Errorf("wide (-want +got):\n%s", diff)
	}
	if got := status.Table(nil, status.Narrow, now); got != "Nothing is enrolled.\n" {
		t.Errorf("of nothing: %q", got)
	}
}

// TestDeploymentsReportOnTheirService: a Deployment has no conditions of ours; those of its Service are its own.
func TestDeploymentsReportOnTheirService(t *testing.T) {
	service := read[corev1.Service](t, whoami)
	service.Annotations = nil
	service.Labels = nil
	deployment := read[appsv1.Deployment](t, `
metadata: {name: v1, namespace: shop, annotations: {daprise.dev/enabled: "true"}}
spec: {selector: {}, template: {metadata: {labels: {app: whoami}}, spec: {containers: []}}}
`)
	got := status.Rows(status.Cluster{Config: mesh.DefaultConfig(), Objects: mesh.Objects{
		Services: []*corev1.Service{service}, Deployments: []*appsv1.Deployment{deployment},
	}})
	want := []status.Row{{
		Namespace: "shop", App: "whoami", Object: mesh.Object{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "shop", Name: "v1"},
		Companion: "Ready", Covered: "Covered", Meshed: "Joining", JoiningSince: new(metav1.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Time),
		Message: "HTTPRoute shop/r does not go through the companion yet",
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
