// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"fmt"
	"maps"

	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	admissionv1 "k8s.io/api/admission/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
	"github.com/daprise/daprise/validate"
)

// compiler compiles one kind of policy.
type compiler func(request *admissionv1.AdmissionRequest, raw []byte) (*policy.Policy, error)

func compileCNP(request *admissionv1.AdmissionRequest, raw []byte) (*policy.Policy, error) {
	object, err := decode[ciliumv2.CiliumNetworkPolicy](raw)
	if err != nil {
		return nil, err
	}
	object.Namespace = request.Namespace
	return policy.CompileCNP(object), nil
}

func compileCCNP(_ *admissionv1.AdmissionRequest, raw []byte) (*policy.Policy, error) {
	object, err := decode[ciliumv2.CiliumClusterwideNetworkPolicy](raw)
	if err != nil {
		return nil, err
	}
	return policy.CompileCCNP(object), nil
}

func compileKNP(request *admissionv1.AdmissionRequest, raw []byte) (*policy.Policy, error) {
	object, err := decode[networkingv1.NetworkPolicy](raw)
	if err != nil {
		return nil, err
	}
	object.Namespace = request.Namespace
	return policy.CompileKNP(object), nil
}

// validatePolicy decides whether a policy may be written or deleted.
func validatePolicy(version string, compile compiler) decider {
	return decider{
		version: version,
		need:    needOfPolicy,
		decide: func(request *call, world policy.World) (verdict, error) {
			before, after, err := policySets(request.AdmissionRequest, world.Set, compile)
			if err != nil {
				return verdict{}, err
			}
			findings := validate.Policy(validate.PolicyWrite{
				Object:    objectOf(request.AdmissionRequest),
				Operation: validate.Operation(request.Operation),
				User:      request.UserInfo.Username,
				View:      world.View,
				Before:    before,
				After:     after,
			})
			return verdict{findings: validate.ApplyModes(world.View, findings)}, nil
		},
	}
}

func needOfPolicy(request *call) (mesh.Need, error) {
	return mesh.NeedOfPolicy(&metav1.ObjectMeta{Namespace: request.Namespace}), nil
}

// policySets are the policies without and with the change. The object's own versions are taken from the request, because the caches
// may or may not have seen either.
func policySets(request *admissionv1.AdmissionRequest, set *policy.Set, compile compiler) (before, after *policy.Set, err error) {
	ref := policy.Ref{Kind: request.Kind.Kind, Namespace: request.Namespace, Name: objectOf(request).Name}
	before = set.Without(ref)
	after = before
	if !absent(request.OldObject.Raw) {
		old, err := compile(request, request.OldObject.Raw)
		if err != nil {
			return nil, nil, fmt.Errorf("decode old %s: %w", request.Kind.Kind, err)
		}
		before = before.With(old)
	}
	if !absent(request.Object.Raw) {
		object, err := compile(request, request.Object.Raw)
		if err != nil {
			return nil, nil, fmt.Errorf("decode %s: %w", request.Kind.Kind, err)
		}
		after = after.With(object)
	}
	return before, after, nil
}

// validateNamespace decides whether a namespace's labels may change.
func validateNamespace() decider {
	return decider{
		version: "v1",
		need: func(request *call) (mesh.Need, error) {
			return mesh.NeedOfNamespace(objectOf(request.AdmissionRequest).Name), nil
		},
		decide: func(request *call, world policy.World) (verdict, error) {
			before, err := withLabels(world.View, request.OldObject.Raw)
			if err != nil {
				return verdict{}, err
			}
			after, err := withLabels(world.View, request.Object.Raw)
			if err != nil {
				return verdict{}, err
			}
			name := objectOf(request.AdmissionRequest).Name
			// By the old labels: a write that also lowers the mode is judged by the mode that it lowers.
			return verdict{findings: validate.ApplyModes(before, validate.Namespace(before, after, world.Set, name))}, nil
		},
	}
}

// withLabels is the View with the labels of one version of a Namespace. It does not modify its arguments.
func withLabels(view *mesh.View, raw []byte) (*mesh.View, error) {
	namespace, err := metaOf(raw)
	if err != nil {
		return nil, fmt.Errorf("decode Namespace: %w", err)
	}
	changed := *view
	changed.Namespaces = maps.Clone(view.Namespaces)
	if changed.Namespaces == nil {
		changed.Namespaces = map[string]map[string]string{}
	}
	changed.Namespaces[namespace.Name] = namespace.Labels
	return &changed, nil
}
