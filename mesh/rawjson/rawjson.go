// SPDX-License-Identifier: Apache-2.0

// Package rawjson reads JSON by its structure: what is asked for is visited as bytes, to be decoded or copied, and what is not is skipped.
// What is skipped is not checked, as it was checked before (Object, or the API server): errors tell of a structure that cannot be followed, not
// of every fault. Field names are compared with case, as the API server does, and of two fields of one name both are visited.
package rawjson

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"

	kjson "sigs.k8s.io/json"
)

// EachField calls visit for each field of an object, in order, with its key and the bytes of its value. It visits nothing of a null.
func EachField(data []byte, visit func(key []byte, value json.RawMessage) error) error {
	i := skipSpace(data, 0)
	if At(data, i) == 'n' {
		return nil
	}
	return eachField(data, i, visit)
}

// Object is EachField for bytes that may be anything: an error tells of every fault of the JSON, and of a value that is not an object.
func Object(data []byte, visit func(key []byte, value json.RawMessage) error) error {
	if !json.Valid(data) {
		var value json.RawMessage
		return json.Unmarshal(data, &value)
	}
	if i := skipSpace(data, 0); At(data, i) != '{' {
		return fmt.Errorf("not an object")
	}
	return EachField(data, visit)
}

// eachField visits the object that begins at i.
func eachField(data []byte, i int, visit func(key []byte, value json.RawMessage) error) error {
	if At(data, i) != '{' {
		return fmt.Errorf("not an object")
	}
	if i = skipSpace(data, i+1); At(data, i) == '}' {
		return nil
	}
	for {
		end, err := skipString(data, i)
		if err != nil {
			return err
		}
		key := data[i:end]
		if i = skipSpace(data, end); At(data, i) != ':' {
			return fmt.Errorf("no colon behind a key")
		}
		i = skipSpace(data, i+1)
		if end, err = skipValue(data, i); err != nil {
			return err
		}
		if key, err = Unquoted(key); err != nil {
			return err
		}
		if err := visit(key, data[i:end:end]); err != nil {
			return err
		}
		switch i = skipSpace(data, end); At(data, i) {
		case ',':
			i = skipSpace(data, i+1)
		case '}':
			return nil
		default:
			return fmt.Errorf("an object does not end")
		}
	}
}

// EachElement calls visit with the bytes of each element of a list, in order. It visits nothing of a null.
func EachElement(data []byte, visit func(element json.RawMessage) error) error {
	i := skipSpace(data, 0)
	if At(data, i) == 'n' {
		return nil
	}
	if At(data, i) != '[' {
		return fmt.Errorf("not a list")
	}
	if i = skipSpace(data, i+1); At(data, i) == ']' {
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
		switch i = skipSpace(data, end); At(data, i) {
		case ',':
			i = skipSpace(data, i+1)
		case ']':
			return nil
		default:
			return fmt.Errorf("a list does not end")
		}
	}
}

// At is the byte at a place, 0 behind the end, which is no byte of JSON.
func At(data []byte, i int) byte {
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
	switch At(data, i) {
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
	if At(data, i) != '"' {
		return 0, fmt.Errorf("not a string")
	}
	// Most strings are short: to look for a byte with what is made for long ones takes longer.
	for i++; i < len(data); i++ {
		switch data[i] {
		case '"':
			return i + 1, nil
		case '\\':
			// What follows a backslash does not end the string.
			i++
		}
	}
	return 0, fmt.Errorf("a string does not end")
}

// isPlain says that the characters between a string's quotation marks stand for themselves.
func isPlain(quoted []byte) bool {
	if len(quoted) < 2 || quoted[0] != '"' || quoted[len(quoted)-1] != '"' {
		return false
	}
	ascii := true
	for _, c := range quoted[1 : len(quoted)-1] {
		if c < ' ' || c == '\\' || c == '"' {
			return false
		}
		ascii = ascii && c < utf8.RuneSelf
	}
	return ascii || utf8.Valid(quoted)
}

// Unquoted are the bytes that a JSON string stands for.
func Unquoted(quoted []byte) ([]byte, error) {
	if isPlain(quoted) {
		return quoted[1 : len(quoted)-1], nil
	}
	var s string
	if err := kjson.UnmarshalCaseSensitivePreserveInts(quoted, &s); err != nil {
		return nil, err
	}
	return []byte(s), nil
}

// Decode reads a value into what into points to, as the API server does: names with case, integers as integers.
func Decode(value []byte, into any) error {
	return kjson.UnmarshalCaseSensitivePreserveInts(value, into)
}

// Text reads a JSON string, and leaves what into is for a null.
func Text[T ~string](value json.RawMessage, into *T) error {
	if At(value, 0) == 'n' {
		return nil
	}
	if At(value, 0) != '"' {
		return fmt.Errorf("not a string")
	}
	s, err := Unquoted(value)
	*into = T(s)
	return err
}

// Number reads a JSON number without fraction and exponent that fits, and leaves what into is for a null.
func Number[T ~int32](value json.RawMessage, into *T) error {
	if len(value) == 0 || len(value) > 9 || value[0] == '0' && len(value) > 1 {
		return Decode(value, into)
	}
	n := T(0)
	for _, c := range value {
		if c < '0' || c > '9' {
			return Decode(value, into)
		}
		n = n*10 + T(c-'0')
	}
	*into = n
	return nil
}
