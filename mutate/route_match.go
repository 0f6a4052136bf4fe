// SPDX-License-Identifier: Apache-2.0

package mutate

import (
	"encoding/json"
	"fmt"

	kjson "sigs.k8s.io/json"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/daprise/daprise/mesh/rawjson"
)

// ruleMatch is what is read of one match of an HTTPRoute's rule, with the defaults of the API.
type ruleMatch struct {
	pathType gatewayv1.PathMatchType
	path     string
	// explicit says that type and value of the path are written out.
	explicit bool
	// method is empty for any.
	method string
	// headers are those that a request must have.
	headers []headerMatch
}

// headerMatch is what is read of one header of a match.
type headerMatch struct {
	name, value string
	// kind is empty for an exact value.
	kind gatewayv1.HeaderMatchType
}

func (h *headerMatch) decodeField(key []byte, value json.RawMessage) error {
	switch string(key) {
	case "name":
		return rawjson.Text(value, &h.name)
	case "value":
		return rawjson.Text(value, &h.value)
	case "type":
		return rawjson.Text(value, &h.kind)
	}
	return nil
}

// exact says whether the value is the header's whole value.
func (h *headerMatch) exact() bool { return h.kind == "" || h.kind == gatewayv1.HeaderMatchExact }

// anyMatch is the match of a rule that has none.
func anyMatch() ruleMatch {
	return ruleMatch{pathType: gatewayv1.PathMatchPathPrefix, path: "/"}
}

func decodeMatches(data json.RawMessage) ([]ruleMatch, error) {
	var matches []ruleMatch
	err := rawjson.EachElement(data, func(element json.RawMessage) error {
		m := anyMatch()
		matches = append(matches, m)
		return rawjson.EachField(element, matches[len(matches)-1].decodeField)
	})
	if err != nil {
		return nil, fmt.Errorf("matches: %w", err)
	}
	return matches, nil
}

func (m *ruleMatch) decodeField(key []byte, value json.RawMessage) error {
	switch string(key) {
	case "path":
		return m.decodePath(value)
	case "method":
		return rawjson.Text(value, &m.method)
	case "headers":
		return rawjson.EachElement(value, func(header json.RawMessage) error {
			m.headers = append(m.headers, headerMatch{})
			return rawjson.EachField(header, m.headers[len(m.headers)-1].decodeField)
		})
	}
	return nil
}

func (m *ruleMatch) decodePath(data json.RawMessage) error {
	hasType, hasValue := false, false
	err := rawjson.EachField(data, func(key []byte, value json.RawMessage) error {
		switch string(key) {
		case "type":
			hasType = rawjson.At(value, 0) == '"'
			return rawjson.Text(value, &m.pathType)
		case "value":
			hasValue = rawjson.At(value, 0) == '"'
			return rawjson.Text(value, &m.path)
		}
		return nil
	})
	m.explicit = hasType && hasValue
	return err
}

// matchTrees are the elements of a list of matches: as they are, or as trees where a path is to be written out.
func matchTrees(data json.RawMessage, matches []ruleMatch) ([]any, error) {
	trees := make([]any, 0, len(matches))
	err := rawjson.EachElement(data, func(element json.RawMessage) error {
		if i := len(trees); i >= len(matches) || matches[i].explicit {
			trees = append(trees, element)
			return nil
		}
		var tree any
		err := kjson.UnmarshalCaseSensitivePreserveInts(element, &tree)
		trees = append(trees, tree)
		return err
	})
	return trees, err
}
