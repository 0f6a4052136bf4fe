// SPDX-License-Identifier: Apache-2.0

package companion

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/daprise/daprise/mesh"
)

// managesAll looks in live's managedFields: daprise must have applied no field that want has no longer, since applying would remove it, and
// every field that want has, since one that somebody else has written since is theirs, even where it holds what is wanted and more. Where
// others have managed the object and daprise has not, it was never applied, and is not up to date.
func managesAll(want, live *unstructured.Unstructured) (bool, error) {
	entries := live.GetManagedFields()
	i := slices.IndexFunc(entries, func(e metav1.ManagedFieldsEntry) bool {
		return e.Manager == mesh.FieldManager && e.Operation == metav1.ManagedFieldsOperationApply && e.Subresource == ""
	})
	if i < 0 || entries[i].FieldsV1 == nil {
		return false, nil
	}
	var owned map[string]any
	if err := json.Unmarshal(entries[i].FieldsV1.GetRawBytes(), &owned); err != nil {
		return false, fmt.Errorf("read managedFields of %s: %w", mesh.FieldManager, err)
	}
	return ownedExists(owned, want.Object) && owns(owned, managed(want.Object)), nil
}

// managed is the content of an object that managedFields speak of: not what names it.
func managed(content map[string]any) map[string]any {
	rest := map[string]any{}
	for key, value := range content {
		switch key {
		case "apiVersion", "kind":
		case "metadata":
			meta, ok := value.(map[string]any)
			if !ok {
				continue
			}
			kept := map[string]any{}
			for _, field := range []string{"labels", "annotations", "ownerReferences"} {
				if v, set := meta[field]; set {
					kept[field] = v
				}
			}
			rest[key] = kept
		default:
			rest[key] = value
		}
	}
	return rest
}

// ownedExists says whether each owned path leads to something in value. Paths are FieldsV1's: "f:name" a field, `k:{"name":"x"}` the
// element with these keys, "v:…" a member of a set, "." the thing itself (sigs.k8s.io/structured-merge-diff, fieldpath).
func ownedExists(owned map[string]any, value any) bool {
	for path, below := range owned {
		next, found := step(path, value)
		if !found {
			return false
		}
		if deeper, ok := below.(map[string]any); ok && !ownedExists(deeper, next) {
			return false
		}
	}
	return true
}

func step(path string, value any) (any, bool) {
	kind, rest, _ := strings.Cut(path, ":")
	switch kind {
	case "f":
		fields, ok := value.(map[string]any)
		next, found := fields[rest]
		return next, ok && found
	case "k":
		var keys map[string]any
		elements, ok := value.([]any)
		if json.Unmarshal([]byte(rest), &keys) != nil || !ok {
			return nil, false
		}
		i := slices.IndexFunc(elements, func(e any) bool { return contains(keys, e) })
		if i < 0 {
			return nil, false
		}
		return elements[i], true
	case "v":
		var member any
		elements, ok := value.([]any)
		if json.Unmarshal([]byte(rest), &member) != nil || !ok {
			return nil, false
		}
		return nil, slices.ContainsFunc(elements, func(e any) bool { return equalScalars(e, member) })
	default:
		return value, true
	}
}

// owns says whether owned leads to each leaf of value. What is owned as a whole has nothing below it.
func owns(owned map[string]any, value any) bool {
	if len(owned) == 0 {
		return true
	}
	switch v := value.(type) {
	case map[string]any:
		for key, below := range v {
			deeper, found := owned["f:"+key].(map[string]any)
			if !found || !owns(deeper, below) {
				return false
			}
		}
	case []any:
		for _, element := range v {
			if !ownsElement(owned, element) {
				return false
			}
		}
	}
	return true
}

// ownsElement says whether owned leads to an element of a list: by its keys, or as a member of a set.
func ownsElement(owned map[string]any, element any) bool {
	for path, below := range owned {
		kind, rest, _ := strings.Cut(path, ":")
		var key any
		if json.Unmarshal([]byte(rest), &key) != nil || kind != "k" && kind != "v" {
			continue
		}
		deeper, ok := below.(map[string]any)
		if contains(key, element) && ok && owns(deeper, element) {
			return true
		}
	}
	return false
}
