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
)

// route is what is read of a route before its rules are.
type route struct {
	Metadata struct {
		Name              string            `json:"name"`
		Namespace         string            `json:"namespace"`
		Annotations       map[string]string `json:"annotations"`
		DeletionTimestamp string            `json:"deletionTimestamp"`
	} `json:"metadata"`
	Spec struct {
		ParentRefs []gatewayv1.ParentReference `json:"parentRefs"`
		Rules      []json.RawMessage           `json:"rules"`
	} `json:"spec"`
}

// decodeRoute reads a route. Field names are compared with case, as the API server does.
func decodeRoute(kind string, data []byte) (*route, error) {
	r := &route{}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(data, r); err != nil {
		return nil, fmt.Errorf("decode %s: %w", kind, err)
	}
	return r, nil
}

// rule is one rule of a route: its bytes, typed fields to read, and a tree in which fields that our types do not know survive. It
// is never modified.
type rule struct {
	raw json.RawMessage
	ruleFields
	// tree is decoded when it is first needed: see decodeTree.
	tree map[string]any
}

// ruleFields are the fields that decide how a rule is rewritten.
type ruleFields struct {
	Matches []gatewayv1.HTTPRouteMatch `json:"matches"`
	ruleRefs
}

// ruleRefs are the fields that HTTPRoutes and GRPCRoutes write alike.
type ruleRefs struct {
	Filters     []gatewayv1.HTTPRouteFilter `json:"filters"`
	BackendRefs []gatewayv1.HTTPBackendRef  `json:"backendRefs"`
}

// decodeRule reads one rule. The matches of a GRPCRoute are of another type and decide nothing: they are not read.
func decodeRule(kind string, raw json.RawMessage) (*rule, error) {
	if len(raw) == 0 || raw[0] != '{' {
		return nil, fmt.Errorf("decode rule of %s: not an object", kind)
	}
	r := &rule{raw: raw}
	into := any(&r.ruleFields)
	if kind != mesh.KindHTTPRoute {
		into = &r.ruleRefs
	}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(raw, into); err != nil {
		return nil, fmt.Errorf("decode rule of %s: %w", kind, err)
	}
	return r, nil
}

// decodeTree fills the rule's tree.
func (r *rule) decodeTree() error {
	if r.tree != nil {
		return nil
	}
	var tree map[string]any
	if err := kjson.UnmarshalCaseSensitivePreserveInts(r.raw, &tree); err != nil {
		return fmt.Errorf("decode rule: %w", err)
	}
	if tree == nil {
		return fmt.Errorf("decode rule: not an object")
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
