// SPDX-License-Identifier: Apache-2.0

package mutate

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	kjson "sigs.k8s.io/json"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/rawjson"
)

// route is what is read of a route before its rules are.
type route struct {
	// Metadata has nothing of the spec.
	Metadata mesh.RouteObject
	Spec     struct {
		ParentRefs []gatewayv1.ParentReference
		Rules      []json.RawMessage
	}
}

// decodeRoute reads a route. Field names are compared with case, as the API server does.
func decodeRoute(kind string, data []byte) (*route, error) {
	r := &route{}
	err := rawjson.EachField(data, func(key []byte, value json.RawMessage) error {
		switch string(key) {
		case "metadata":
			return r.Metadata.ReadMetadata(value)
		case "spec":
			return rawjson.EachField(value, r.decodeSpec)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("decode %s: %w", kind, err)
	}
	return r, nil
}

func (r *route) decodeSpec(key []byte, value json.RawMessage) (err error) {
	switch string(key) {
	case "parentRefs":
		r.Spec.ParentRefs, err = mesh.ReadParentRefs(value)
	case "rules":
		r.Spec.Rules = nil
		return rawjson.EachElement(value, func(rule json.RawMessage) error {
			r.Spec.Rules = append(r.Spec.Rules, rule)
			return nil
		})
	}
	return err
}

// rule is one rule of a route: its bytes, typed fields to read, and a tree in which fields that our types do not know survive. It
// is never modified.
type rule struct {
	raw json.RawMessage
	ruleFields
	// canonical and tree are made when they are first needed: see canonicalJSON and decodeTree.
	canonical json.RawMessage
	tree      map[string]any
}

// ruleFields are the fields that decide how a rule is rewritten. Matches are those of an HTTPRoute: a GRPCRoute's decide nothing and are
// not read. What else is written alike in both kinds.
type ruleFields struct {
	Matches     []ruleMatch
	Filters     []gatewayv1.HTTPRouteFilter
	BackendRefs []gatewayv1.HTTPBackendRef
}

// decodeRule reads one rule.
func decodeRule(kind string, raw json.RawMessage) (*rule, error) {
	if rawjson.At(raw, 0) != '{' {
		return nil, fmt.Errorf("decode rule of %s: not an object", kind)
	}
	r := &rule{raw: raw}
	err := rawjson.EachField(raw, func(key []byte, value json.RawMessage) (err error) {
		switch string(key) {
		case "matches":
			if kind == mesh.KindHTTPRoute {
				r.Matches, err = decodeMatches(value)
			}
		case "filters":
			err = kjson.UnmarshalCaseSensitivePreserveInts(value, &r.Filters)
		case "backendRefs":
			r.BackendRefs, err = mesh.ReadBackendRefs(value)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("decode rule of %s: %w", kind, err)
	}
	return r, nil
}

// canonicalJSON is the rule's canonical JSON.
func (r *rule) canonicalJSON() (json.RawMessage, error) {
	if r.canonical == nil {
		data, err := canonical(r.raw)
		if err != nil {
			return nil, fmt.Errorf("rule: %w", err)
		}
		r.canonical = data
	}
	return r.canonical, nil
}

// decodeTree fills the rule's tree: filters and backendRefs as trees, other fields as canonical JSON, and of the matches of an HTTPRoute
// those as trees whose path is not written out.
func (r *rule) decodeTree() error {
	if r.tree != nil {
		return nil
	}
	data, err := r.canonicalJSON()
	if err != nil {
		return err
	}
	tree := make(map[string]any)
	err = rawjson.EachField(data, func(key []byte, value json.RawMessage) (err error) {
		switch {
		case string(key) == "matches" && rawjson.At(value, 0) == '[':
			tree["matches"], err = matchTrees(value, r.Matches)
		case string(key) == "filters", string(key) == "backendRefs":
			var node any
			err = kjson.UnmarshalCaseSensitivePreserveInts(value, &node)
			tree[string(key)] = node
		default:
			tree[string(key)] = value
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("decode rule: %w", err)
	}
	r.tree = tree
	return nil
}

// hashBytes is the length of the hashes by which a record finds rewritten rules. A record is verified before it is trusted, so the
// hash finds and does not protect.
const hashBytes = 16

// hash names canonical JSON.
func hash(canonical []byte) string {
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:hashBytes])
}

// object is the map under a tree's node, or nil.
func object(node any) map[string]any {
	m, _ := node.(map[string]any)
	return m
}

// list is the list under a tree's node, or nil.
func list(node any) []any {
	l, _ := node.([]any)
	return l
}
