// SPDX-License-Identifier: Apache-2.0

package mutate

import (
	"encoding/json"
	"fmt"

	kjson "sigs.k8s.io/json"
)

// A route is read by the structure of its JSON: what a decision needs is decoded, and what it does not need stays bytes, which are copied
// to where they are wanted. The API server has parsed what it sends, so that what is skipped is not checked again.

// eachField calls visit for each field of an object, in order, with its key and the bytes of its value. It visits nothing of a null.
func eachField(data []byte, visit func(key []byte, value json.RawMessage) error) error {
	i := skipSpace(data, 0)
	if byteAt(data, i) == 'n' {
		return nil
	}
	if byteAt(data, i) != '{' {
		return fmt.Errorf("not an object")
	}
	if i = skipSpace(data, i+1); byteAt(data, i) == '}' {
		return nil
	}
	for {
		end, err := skipString(data, i)
		if err != nil {
			return err
		}
		key := data[i:end]
		if i = skipSpace(data, end); byteAt(data, i) != ':' {
			return fmt.Errorf("no colon behind a key")
		}
		i = skipSpace(data, i+1)
		if end, err = skipValue(data, i); err != nil {
			return err
		}
		if key, err = unquoted(key); err != nil {
			return err
		}
		if err := visit(key, data[i:end:end]); err != nil {
			return err
		}
		switch i = skipSpace(data, end); byteAt(data, i) {
		case ',':
			i = skipSpace(data, i+1)
		case '}':
			return nil
		default:
			return fmt.Errorf("an object does not end")
		}
	}
}

// eachElement calls visit with the bytes of each element of a list, in order. It visits nothing of a null.
func eachElement(data []byte, visit func(element json.RawMessage) error) error {
	i := skipSpace(data, 0)
	if byteAt(data, i) == 'n' {
		return nil
	}
	if byteAt(data, i) != '[' {
		return fmt.Errorf("not a list")
	}
	if i = skipSpace(data, i+1); byteAt(data, i) == ']' {
		return nil
	}
	for {
		end, err := skipValue(data, i)
		if err != nil {
			return err
		}
		if err := visit(data[i:end:end]); err != nil {
			return err
		}
		switch i = skipSpace(data, end); byteAt(data, i) {
		case ',':
			i = skipSpace(data, i+1)
		case ']':
			return nil
		default:
			return fmt.Errorf("a list does not end")
		}
	}
}

// byteAt is 0 behind the end, which is no byte of JSON.
func byteAt(data []byte, i int) byte {
	if i < len(data) {
		return data[i]
	}
	return 0
}

func skipSpace(data []byte, i int) int {
	for i < len(data) && (data[i] == ' ' || data[i] == '\n' || data[i] == '\t' || data[i] == '\r') {
		i++
	}
	return i
}

// skipValue is the end of the value that begins at i.
func skipValue(data []byte, i int) (int, error) {
	switch byteAt(data, i) {
	case '"':
		return skipString(data, i)
	case '{', '[':
		return skipNested(data, i)
	}
	end := i
	for end < len(data) && !isDelimiter(data[end]) {
		end++
	}
	if end == i {
		return 0, fmt.Errorf("a value is missing")
	}
	return end, nil
}

func isDelimiter(c byte) bool {
	return c == ',' || c == ']' || c == '}' || c == ':' || c == ' ' || c == '\n' || c == '\t' || c == '\r'
}

// skipNested is the end of the object or list that begins at i.
func skipNested(data []byte, i int) (int, error) {
	depth := 0
	for ; i < len(data); i++ {
		switch data[i] {
		case '"':
			end, err := skipString(data, i)
			if err != nil {
				return 0, err
			}
			i = end - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1, nil
			}
		}
	}
	return 0, fmt.Errorf("an object or a list does not end")
}

// skipString is the end of the string that begins at i, behind its quotation mark.
func skipString(data []byte, i int) (int, error) {
	if byteAt(data, i) != '"' {
		return 0, fmt.Errorf("not a string")
	}
	for i++; i < len(data); i++ {
		switch data[i] {
		case '\\':
			i++
		case '"':
			return i + 1, nil
		}
	}
	return 0, fmt.Errorf("a string does not end")
}

// unquoted are the bytes that a JSON string stands for.
func unquoted(quoted []byte) ([]byte, error) {
	if isPlainString(quoted) {
		return quoted[1 : len(quoted)-1], nil
	}
	var s string
	if err := kjson.UnmarshalCaseSensitivePreserveInts(quoted, &s); err != nil {
		return nil, err
	}
	return []byte(s), nil
}

// decodeText reads a JSON string, and leaves what into is for a null.
func decodeText[T ~string](value json.RawMessage, into *T) error {
	if byteAt(value, 0) == 'n' {
		return nil
	}
	if byteAt(value, 0) != '"' {
		return fmt.Errorf("not a string")
	}
	s, err := unquoted(value)
	*into = T(s)
	return err
}
