// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"

	"github.com/daprise/daprise/test/controlplane/parts"
)

// CRDSet is a set of CustomResourceDefinitions as one project ships it.
type CRDSet string

// The sets, at the versions of hack/controlplane/crds/go.mod, or with the oldest release of
// hack/controlplane/oldest/crds/go.mod. The two of
// Gateway API exclude one another: each comes with the project's own admission policy
// against mixing them.
const (
	GatewayAPIStandard     CRDSet = "gateway-api/standard"
	GatewayAPIExperimental CRDSet = "gateway-api/experimental"
	Cilium                 CRDSet = "cilium"
	Dapr                   CRDSet = "dapr"
	CertManager            CRDSet = "cert-manager"
	PrometheusOperator     CRDSet = "prometheus-operator"
)

// DefaultCRDs is what a cluster has on which daprise is of use.
func DefaultCRDs() []CRDSet { return []CRDSet{GatewayAPIStandard, Cilium, Dapr} }

// fieldOwner of what this package applies itself.
const fieldOwner = "daprise-test"

// ErrUnknownCRDSet is returned for a CRDSet that is none of the constants.
var ErrUnknownCRDSet = errors.New("unknown set of CRDs")

// files returns the module that ships the set, and patterns of its files in it.
func (s CRDSet) files() (module string, patterns []string, err error) {
	switch s {
	case GatewayAPIStandard:
		return parts.ModuleGatewayAPI, []string{"config/crd/standard/*.yaml"}, nil
	case GatewayAPIExperimental:
		return parts.ModuleGatewayAPI, []string{"config/crd/experimental/*.yaml"}, nil
	case Cilium:
		// CiliumCIDRGroups came to v2 with 1.18.
		const crds = "pkg/k8s/apis/cilium.io/client/crds/"
		return parts.ModuleCilium, []string{crds + "v2/*.yaml", crds + "v2alpha1/ciliumcidrgroups.yaml"}, nil
	case Dapr:
		return parts.ModuleDapr, []string{"charts/dapr/crds/*.yaml"}, nil
	case CertManager:
		return parts.ModuleCertManager, []string{"deploy/crds/*.yaml"}, nil
	case PrometheusOperator:
		return parts.ModulePrometheus, []string{"example/prometheus-operator-crd/*.yaml"}, nil
	default:
		return "", nil, fmt.Errorf("%q: %w", string(s), ErrUnknownCRDSet)
	}
}

// InstallCRDs applies the sets and returns when the API server serves every
// version in them. Installing a set again is harmless.
func (cp *ControlPlane) InstallCRDs(ctx context.Context, sets ...CRDSet) error {
	objects, err := cp.crdObjects(sets)
	if err != nil {
		return err
	}
	err = eachAtOnce(objects, func(object *unstructured.Unstructured) error {
		_, err := cp.resourceOf(object).Apply(ctx, object.GetName(), object, metav1.ApplyOptions{FieldManager: fieldOwner, Force: true})
		return err
	})
	if err != nil {
		return fmt.Errorf("install CRDs: %w", err)
	}
	served, err := servedResources(objects)
	if err != nil {
		return err
	}
	for _, resource := range served {
		if err := cp.waitServed(ctx, resource); err != nil {
			return fmt.Errorf("install CRDs: %w", err)
		}
	}
	return nil
}

// RemoveCRDs deletes the sets and with them every object of their kinds, and
// returns when they are gone.
func (cp *ControlPlane) RemoveCRDs(ctx context.Context, sets ...CRDSet) error {
	objects, err := cp.crdObjects(sets)
	if err != nil {
		return err
	}
	err = eachAtOnce(objects, func(object *unstructured.Unstructured) error {
		resource, name := cp.resourceOf(object), object.GetName()
		if err := resource.Delete(ctx, name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			return err
		}
		return cp.wait(ctx, name+" to be gone", func(ctx context.Context) (bool, error) {
			_, err := resource.Get(ctx, name, metav1.GetOptions{})
			return apierrors.IsNotFound(err), ignore(err, apierrors.IsNotFound)
		})
	})
	if err != nil {
		return fmt.Errorf("remove CRDs: %w", err)
	}
	return nil
}

// crdObjects reads the sets' manifests.
func (cp *ControlPlane) crdObjects(sets []CRDSet) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	for _, set := range sets {
		files, err := cp.filesOf(set)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			if filepath.Base(file) == "kustomization.yaml" {
				continue // that of the experimental channel has no kind by which to tell
			}
			read, err := readManifest(file)
			if err != nil {
				return nil, fmt.Errorf("read the CRDs of %s: %w", set, err)
			}
			objects = append(objects, read...)
		}
	}
	return objects, nil
}

// filesOf are the files of a set, at the version that is installed.
func (cp *ControlPlane) filesOf(set CRDSet) ([]string, error) {
	module, patterns, err := set.files()
	if err != nil {
		return nil, err
	}
	var all []string
	for _, pattern := range patterns {
		files, err := filepath.Glob(filepath.Join(cp.modules.Module(module).Dir, pattern))
		if err != nil {
			return nil, fmt.Errorf("find the CRDs of %s: %w", set, err)
		}
		all = append(all, files...)
	}
	return all, nil
}

// readManifest returns the API objects of a YAML file; a kustomization is none.
func readManifest(file string) ([]*unstructured.Unstructured, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var objects []*unstructured.Unstructured
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), 4096)
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(object)
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if len(object.Object) > 0 && object.GetKind() != "Kustomization" {
			objects = append(objects, object)
		}
	}
}

// resourceOf knows the kinds that CRD folders hold: they are all cluster-scoped.
func (cp *ControlPlane) resourceOf(object *unstructured.Unstructured) dynamic.ResourceInterface {
	kind := object.GroupVersionKind()
	plural := map[string]string{
		"CustomResourceDefinition":         "customresourcedefinitions",
		"ValidatingAdmissionPolicy":        "validatingadmissionpolicies",
		"ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings",
	}[kind.Kind]
	return cp.dynamic.Resource(kind.GroupVersion().WithResource(plural))
}

// servedResources lists what the CRDs among the objects promise to serve.
func servedResources(objects []*unstructured.Unstructured) ([]schema.GroupVersionResource, error) {
	var served []schema.GroupVersionResource
	for _, object := range objects {
		if object.GetKind() != "CustomResourceDefinition" {
			continue
		}
		group, _, groupErr := unstructured.NestedString(object.Object, "spec", "group")
		plural, _, pluralErr := unstructured.NestedString(object.Object, "spec", "names", "plural")
		versions, _, versionsErr := unstructured.NestedSlice(object.Object, "spec", "versions")
		if err := errors.Join(groupErr, pluralErr, versionsErr); err != nil {
			return nil, fmt.Errorf("CRD %s: %w", object.GetName(), err)
		}
		for _, v := range versions {
			version, ok := v.(map[string]any)
			if ok && version["served"] == true {
				served = append(served, schema.GroupVersionResource{Group: group, Version: fmt.Sprint(version["name"]), Resource: plural})
			}
		}
	}
	return served, nil
}

// waitServed lists the resource until there is an answer: a CRD is Established
// a moment before its requests are served.
func (cp *ControlPlane) waitServed(ctx context.Context, resource schema.GroupVersionResource) error {
	return cp.wait(ctx, resource.String()+" to be served", func(ctx context.Context) (bool, error) {
		_, err := cp.dynamic.Resource(resource).List(ctx, metav1.ListOptions{Limit: 1})
		return err == nil, ignore(err, isNotServedYet)
	})
}

// isNotServedYet holds while the API server sets up a new CRD's storage.
func isNotServedYet(err error) bool {
	return apierrors.IsNotFound(err) || apierrors.IsServiceUnavailable(err) || apierrors.IsTooManyRequests(err)
}

// ignore returns nil for the errors that expected accepts.
func ignore(err error, expected func(error) bool) error {
	if err == nil || expected(err) {
		return nil
	}
	return err
}

// eachAtOnce calls do for all items concurrently and joins the errors.
func eachAtOnce[T any](items []T, do func(T) error) error {
	errs := make([]error, len(items))
	var group sync.WaitGroup
	for i, item := range items {
		group.Go(func() { errs[i] = do(item) })
	}
	group.Wait()
	return errors.Join(errs...)
}
