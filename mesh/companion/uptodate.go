// SPDX-License-Identifier: Apache-2.0

package companion

import (
	"fmt"
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// Content is a rendered object as it is applied: without status, without nulls, and without the empty structs that Go types write
// out, so that server-side apply does not take over fields we say nothing about. It does not modify its argument.
func Content(object runtime.Object) (*unstructured.Unstructured, error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object.DeepCopyObject())
	if err != nil {
		return nil, fmt.Errorf("convert %T: %w", object, err)
	}
	delete(content, "status")
	prune(content)
	return &unstructured.Unstructured{Object: content}, nil
}

// prune removes nulls, and empty values of the fields that Go types cannot leave out.
func prune(content map[string]any) {
	for key, value := range content {
		switch v := value.(type) {
		case nil:
			delete(content, key)
		case map[string]any:
			prune(v)
			if len(v) == 0 && slices.Contains([]string{"resources", "strategy", "updateStrategy"}, key) {
				delete(content, key)
			}
		case []any:
			for _, element := range v {
				if m, ok := element.(map[string]any); ok {
					prune(m)
				}
			}
		}
	}
}

// UpToDate says whether a live object is what was rendered: each field of desired is in live with the same value, live has no field that
// daprise applied before and desired no longer has, and nobody else has written a list or map that is applied as a whole. What others add
// (defaults of the API server, entries of other field managers, status) makes no difference.
//
// Who has written what is in live's managedFields. Where there are none, a list that is applied as a whole has to be as rendered: what
// the API server may have added to its elements counts as somebody's change. No companion's object has such defaults.
//
// It does not modify its arguments. An error means that one of them does not convert or that managedFields cannot be read.
func UpToDate(desired, live runtime.Object) (bool, error) {
	want, err := Content(desired)
	if err != nil {
		return false, err
	}
	have, err := Content(live)
	if err != nil {
		return false, err
	}
	if have.GetKind() == "" {
		// Clients leave the kind out of typed objects: the Go type has said it.
		unstructured.RemoveNestedField(want.Object, "apiVersion")
		unstructured.RemoveNestedField(want.Object, "kind")
	}
	tracked := len(have.GetManagedFields()) > 0
	compared := comparison{exact: !tracked}
	if !compared.contains(want.Object, have.Object, "") {
		return false, nil
	}
	if !tracked {
		return true, nil
	}
	return managesAll(want, have)
}

// comparison is how two contents are compared.
type comparison struct {
	// exact says that the elements of lists that are applied as a whole may have nothing more than is wanted.
	exact bool
}

// contains says whether have has all of want.
func contains(want, have any) bool { return comparison{}.contains(want, have, "") }

// contains says whether have has all of want. name is the field that holds them.
func (c comparison) contains(want, have any, name string) bool {
	switch w := want.(type) {
	case map[string]any:
		h, ok := have.(map[string]any)
		if !ok {
			return false
		}
		for key, value := range w {
			if !c.contains(value, h[key], key) {
				return false
			}
		}
		return true
	case []any:
		h, ok := have.([]any)
		return ok && c.containsList(w, h, name)
	default:
		return equalScalars(want, have)
	}
}

// containsList compares lists that server-side apply merges by the keys of their elements, and all others as a whole.
func (c comparison) containsList(want, have []any, name string) bool {
	keys := mergeKeys(name)
	if len(keys) == 0 || !haveKeys(want, keys) {
		return len(want) == len(have) && !slices.ContainsFunc(seq(len(want)), func(i int) bool {
			return !c.contains(want[i], have[i], "") || c.exact && !contains(have[i], want[i])
		})
	}
	for _, w := range want {
		element, ok := w.(map[string]any)
		if !ok {
			return false
		}
		i := slices.IndexFunc(have, func(h any) bool { return sameKeys(element, h, keys) })
		if i < 0 || !c.contains(element, have[i], "") {
			return false
		}
	}
	return true
}

// haveKeys says whether each element has what its list is merged by: the ports of a CiliumNetworkPolicy, for one, have no names.
func haveKeys(list []any, keys []string) bool {
	return !slices.ContainsFunc(list, func(element any) bool {
		m, ok := element.(map[string]any)
		return !ok || slices.ContainsFunc(keys, func(key string) bool { return m[key] == nil })
	})
}

// mergeKeys are the keys of the associative lists that companions' objects have (the API's x-kubernetes-list-map-keys).
func mergeKeys(list string) []string {
	switch list {
	case "ownerReferences":
		return []string{"uid"}
	case "containers", "env", "volumes", "imagePullSecrets":
		return []string{"name"}
	case "volumeMounts":
		return []string{"mountPath"}
	case "ports":
		// Of a Service and of a container: here, names are unique in both.
		return []string{"name"}
	case "topologySpreadConstraints":
		return []string{"topologyKey", "whenUnsatisfiable"}
	default:
		return nil
	}
}

func sameKeys(want map[string]any, have any, keys []string) bool {
	h, ok := have.(map[string]any)
	return ok && !slices.ContainsFunc(keys, func(key string) bool { return !equalScalars(want[key], h[key]) })
}

func equalScalars(a, b any) bool {
	if x, ok := integer64(a); ok {
		y, ok := integer64(b)
		return ok && x == y
	}
	return reflect.DeepEqual(a, b)
}

// integer64 makes numbers comparable that came from JSON (float64) and from Go types (int64).
func integer64(v any) (int64, bool) {
	switch n := v.(type) {
	case int64:
		return n, true
	case float64:
		return int64(n), n == float64(int64(n))
	default:
		return 0, false
	}
}

func seq(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i
	}
	return s
}
