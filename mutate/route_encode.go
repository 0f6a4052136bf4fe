// SPDX-License-Identifier: Apache-2.0

package mutate

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
)

// encode is the canonical JSON of a tree: sorted keys, no spaces, nothing escaped for HTML. Equal trees give equal bytes. It is written
// out because encoding/json spends half of a mutation on the reflection that a tree does not need.
func encode(tree map[string]any) (json.RawMessage, error) {
	data, err := appendJSON(make([]byte, 0, 512), tree)
	if err != nil {
		return nil, fmt.Errorf("encode rule: %w", err)
	}
	return data, nil
}

// appendJSON appends the canonical JSON of what sigs.k8s.io/json decodes into an any, and of strings and numbers put there since.
func appendJSON(data []byte, node any) ([]byte, error) {
	var err error
	switch node := node.(type) {
	case nil:
		return append(data, "null"...), nil
	case bool:
		return strconv.AppendBool(data, node), nil
	case int64:
		return strconv.AppendInt(data, node, 10), nil
	case string:
		return appendString(data, node)
	case []any:
		data = append(data, '[')
		for i, element := range node {
			if i > 0 {
				data = append(data, ',')
			}
			if data, err = appendJSON(data, element); err != nil {
				return nil, err
			}
		}
		return append(data, ']'), nil
	case map[string]any:
		return appendObject(data, node)
	default:
		other, err := json.Marshal(node)
		return append(data, other...), err
	}
}

func appendObject(data []byte, node map[string]any) ([]byte, error) {
	var room [16]string
	keys := room[:0]
	for key := range node {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	data = append(data, '{')
	for i, key := range keys {
		if i > 0 {
			data = append(data, ',')
		}
		var err error
		if data, err = appendString(data, key); err != nil {
			return nil, err
		}
		data = append(data, ':')
		if data, err = appendJSON(data, node[key]); err != nil {
			return nil, err
		}
	}
	return append(data, '}'), nil
}

// appendString leaves what needs escaping to encoding/json. What that escapes for HTML alone stays as it is.
func appendString(data []byte, s string) ([]byte, error) {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c >= 0x7f {
			quoted, err := json.Marshal(s)
			return append(data, quoted...), err
		}
	}
	data = append(data, '"')
	data = append(data, s...)
	return append(data, '"'), nil
}
