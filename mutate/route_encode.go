// SPDX-License-Identifier: Apache-2.0

package mutate

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"gomodules.xyz/jsonpatch/v2"
)

// EncodePatch is a patch as JSON, as the answer to the API server holds it. It gives what encoding/json would, and does not go through JSON
// a second time that is JSON already (json.RawMessage), which must be valid. It does not modify the patch.
func EncodePatch(patch []jsonpatch.Operation) ([]byte, error) {
	const around = 64 // keys, brackets and the operation
	size := around
	for i := range patch {
		size += around + len(patch[i].Path) + sizeOf(patch[i].Value)
	}
	data := append(make([]byte, 0, size), '[')
	for i := range patch {
		if i > 0 {
			data = append(data, ',')
		}
		var err error
		if data, err = appendOperation(data, &patch[i]); err != nil {
			return nil, fmt.Errorf("encode patch: %w", err)
		}
	}
	return append(data, ']'), nil
}

// sizeOf is about how many bytes appendJSON will append, so that they fit where they are put first.
func sizeOf(node any) int {
	const around = 4 // quotation marks, a colon and a comma
	size := around
	switch node := node.(type) {
	case string:
		size += len(node) + len(node)/4 // with quotation marks in it, as a record has
	case json.RawMessage:
		size += len(node)
	case []json.RawMessage:
		for _, element := range node {
			size += around + len(element)
		}
	case []any:
		for _, element := range node {
			size += sizeOf(element)
		}
	case map[string]any:
		for key, value := range node {
			size += around + len(key) + sizeOf(value)
		}
	default:
		const number = 8
		size += number
	}
	return size
}

func appendOperation(data []byte, operation *jsonpatch.Operation) ([]byte, error) {
	data, err := appendString(append(data, `{"op":`...), operation.Operation)
	if err != nil {
		return nil, err
	}
	if data, err = appendString(append(data, `,"path":`...), operation.Path); err != nil {
		return nil, err
	}
	if operation.Operation != "remove" {
		if data, err = appendJSON(append(data, `,"value":`...), operation.Value); err != nil {
			return nil, err
		}
	}
	return append(data, '}'), nil
}

// encode is the canonical JSON of a tree: sorted keys, no spaces, nothing escaped for HTML. Equal trees give equal bytes. It is written
// out because encoding/json spends half of a mutation on the reflection that a tree does not need.
func encode(tree map[string]any) (json.RawMessage, error) {
	data, err := appendJSON(make([]byte, 0, sizeOf(tree)), tree)
	if err != nil {
		return nil, fmt.Errorf("encode rule: %w", err)
	}
	return data, nil
}

// appendJSON appends the canonical JSON of what sigs.k8s.io/json decodes into an any, and of strings and numbers put there since. What is
// JSON already is taken to be canonical.
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
	case json.RawMessage:
		return append(data, node...), nil
	case []json.RawMessage:
		data = append(data, '[')
		for i, element := range node {
			if i > 0 {
				data = append(data, ',')
			}
			data = append(data, element...)
		}
		return append(data, ']'), nil
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
		if needsEscape(s[i]) {
			quoted, err := json.Marshal(s)
			return append(data, quoted...), err
		}
	}
	data = append(data, '"')
	data = append(data, s...)
	return append(data, '"'), nil
}

// needsEscape says whether a character is left to encoding/json, whatever that makes of it.
func needsEscape(c byte) bool {
	return c < 0x20 || c == '"' || c == '\\' || c >= 0x7f
}
