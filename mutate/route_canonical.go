// SPDX-License-Identifier: Apache-2.0

package mutate

import (
	"bytes"
	"encoding/json"
	"fmt"

	kjson "sigs.k8s.io/json"

	"github.com/daprise/daprise/mesh/rawjson"
)

// canonical is JSON as encode would write what it stands for: sorted keys, no spaces. Equal values give equal bytes. What an API server
// sends is canonical already but for characters outside ASCII, and is then given back as it is.
func canonical(data json.RawMessage) (json.RawMessage, error) {
	if end, ok := skipCanonical(data, 0); ok && end == len(data) {
		return data, nil
	}
	var tree any
	if err := kjson.UnmarshalCaseSensitivePreserveInts(data, &tree); err != nil {
		return nil, fmt.Errorf("decode: %w", err)
	}
	return appendJSON(make([]byte, 0, len(data)), tree)
}

// skipCanonical is the end of the value that begins at i, and whether encode would write exactly these bytes. Where that takes a closer look
// (escapes, fractions, numbers of many digits), it says no.
func skipCanonical(data []byte, i int) (end int, ok bool) {
	switch c := rawjson.At(data, i); {
	case c == '{':
		return skipCanonicalObject(data, i)
	case c == '[':
		return skipCanonicalList(data, i)
	case c == '"':
		return skipPlainString(data, i)
	case c == '-' || '0' <= c && c <= '9':
		return skipShortInteger(data, i)
	}
	for _, literal := range []string{"true", "false", "null"} {
		if bytes.HasPrefix(data[min(i, len(data)):], []byte(literal)) {
			return i + len(literal), true
		}
	}
	return 0, false
}

func skipCanonicalObject(data []byte, i int) (end int, ok bool) {
	if rawjson.At(data, i+1) == '}' {
		return i + 2, true
	}
	var previous []byte
	for first := true; ; first = false {
		begin := i + 1
		if i, ok = skipPlainString(data, begin); !ok || rawjson.At(data, i) != ':' {
			return 0, false
		}
		key := data[begin+1 : i-1]
		if !first && bytes.Compare(previous, key) >= 0 {
			return 0, false
		}
		previous = key
		if i, ok = skipCanonical(data, i+1); !ok {
			return 0, false
		}
		switch rawjson.At(data, i) {
		case ',':
		case '}':
			return i + 1, true
		default:
			return 0, false
		}
	}
}

func skipCanonicalList(data []byte, i int) (end int, ok bool) {
	if rawjson.At(data, i+1) == ']' {
		return i + 2, true
	}
	for {
		if i, ok = skipCanonical(data, i+1); !ok {
			return 0, false
		}
		switch rawjson.At(data, i) {
		case ',':
		case ']':
			return i + 1, true
		default:
			return 0, false
		}
	}
}

// skipPlainString is the end of the string that begins at i, and whether its characters stand for themselves.
func skipPlainString(data []byte, i int) (end int, ok bool) {
	if rawjson.At(data, i) != '"' {
		return 0, false
	}
	for i++; i < len(data); i++ {
		c := data[i]
		if c == '"' {
			return i + 1, true
		}
		if needsEscape(c) {
			return 0, false
		}
	}
	return 0, false
}

// maxShort is how many digits a number has at most that is an int64 for certain.
const maxShort = 18

// skipShortInteger is the end of the number that begins at i, and whether it is an integer as strconv would write it.
func skipShortInteger(data []byte, i int) (end int, ok bool) {
	begin := i
	if data[i] == '-' {
		begin++
	}
	for end = begin; end < len(data) && '0' <= data[end] && data[end] <= '9'; end++ {
	}
	switch c := rawjson.At(data, end); {
	case end == begin, end-begin > maxShort, c == '.', c == 'e', c == 'E':
		return 0, false
	case data[begin] == '0' && (end-begin > 1 || begin > i):
		return 0, false
	}
	return end, true
}
