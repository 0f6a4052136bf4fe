// SPDX-License-Identifier: Apache-2.0

package check

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/daprise/daprise/cmd/daprise/internal/live"
	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/webhook/hooks"
)

// proof is one write that has to be refused.
type proof struct {
	what   string
	object client.Object
	// by are in the refusal and together in no other: who refuses, and the rule's code. What a program promises here is its text
	// (docs/rules.md).
	by []string
}

// proofs are refused for what the webhook alone can see: policies of the API server, which hold without it, would let them pass.
func proofs(namespace string) []proof {
	prefix := gatewayv1.PathMatchPathPrefix
	return []proof{
		{
			what: "enrolment", by: []string{`admission webhook "enrolment.`, "[" + string(mesh.CodeServiceUnfit) + "]"},
			object: hooks.Proof(namespace),
		},
		{
			what: "routes", by: []string{`admission webhook "routes.`, "[" + string(mesh.CodeBadValue) + "]"},
			object: &gatewayv1.HTTPRoute{
				ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: hooks.ProofName, Annotations: map[string]string{mesh.AnnotationSuppress: "refuse me"}},
				Spec: gatewayv1.HTTPRouteSpec{Rules: []gatewayv1.HTTPRouteRule{{
					Matches: []gatewayv1.HTTPRouteMatch{{Path: &gatewayv1.HTTPPathMatch{Type: &prefix, Value: new("/")}}},
				}}},
			},
		},
		{
			what: "the companions' label", by: []string{hooks.GuardName},
			object: &corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: hooks.ProofName, Labels: map[string]string{mesh.LabelCompanion: hooks.ProofName}},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "none", Image: "registry.k8s.io/pause:3.10"}}},
			},
		},
	}
}

// refuses says whether a refusal is the one that is meant.
func (p proof) refuses(message string) bool {
	return !slices.ContainsFunc(p.by, func(part string) bool { return !strings.Contains(message, part) })
}

// enforcing tries, without storing anything, what has to be refused.
func enforcing(ctx context.Context, c *Cluster) ([]Line, error) {
	stored, err := c.stored(ctx)
	if err != nil || len(stored) == 0 {
		return []Line{skip("daprise is not installed")}, err
	}
	namespace := &corev1.Namespace{}
	found, err := c.get(ctx, client.ObjectKey{Name: c.namespace}, namespace)
	if err != nil {
		return nil, err
	}
	exempt := c.namespace == mesh.SystemNamespace || slices.Contains(c.config.ExemptNamespaces, c.namespace) || namespace.Labels[mesh.LabelAdmission] == "disabled"
	if !found || exempt {
		return []Line{hinted(Warn, "nothing is proved: namespace "+c.namespace+" does not exist or is exempt from admission", "Name another one with -n; nothing is stored in it.")}, nil
	}
	var lines []Line
	for _, p := range proofs(c.namespace) {
		lines = append(lines, judgeProof(p, c.client.Create(ctx, p.object, client.DryRunAll)))
	}
	return lines, nil
}

// judgeProof judges what became of a write that has to be refused.
func judgeProof(p proof, err error) Line {
	status := apierrors.APIStatus(nil)
	switch {
	case err == nil:
		return hinted(Fail, p.what+": what has to be refused is admitted", "See the lines above; without hooks nothing is enforced: "+howToInstall)
	case live.NotServed(err):
		return skip("%s: the API server does not serve the kind", p.what)
	case !errors.As(err, &status):
		return hinted(Unread, fmt.Sprintf("%s: %v", p.what, err), "See that the API server answers, then check again.")
	case p.refuses(status.Status().Message):
		return ok("%s: what has to be refused is refused", p.what)
	case apierrors.IsInternalError(err):
		return hinted(Fail, p.what+": daprise does not answer, and what it would judge cannot be written: "+status.Status().Message,
			fmt.Sprintf("kubectl get pods -n %s; in an emergency label the namespace %s=disabled (docs/operations.md).", mesh.SystemNamespace, mesh.LabelAdmission))
	default:
		return hinted(Warn, p.what+": nothing is proved, it is refused by others: "+status.Status().Message, "Name with -n a namespace in which you may create Services, HTTPRoutes and Pods; nothing is stored in it.")
	}
}
