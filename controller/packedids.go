// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"encoding/hex"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/types"
)

// uid is a UID as the API server gives them, a UUID, in a third of the memory. The zero uid stands for one that is none.
type uid [16]byte

func uidOf(text types.UID) uid {
	var id uid
	digits := strings.ReplaceAll(string(text), "-", "")
	if len(digits) != hex.EncodedLen(len(id)) {
		return uid{}
	}
	if _, err := hex.Decode(id[:], []byte(digits)); err != nil || id.of() != text {
		return uid{}
	}
	return id
}

// of is the UID as it is written.
func (u uid) of() types.UID {
	text := make([]byte, 0, 36)
	for i, bounds := range [][2]int{{0, 4}, {4, 6}, {6, 8}, {8, 10}, {10, 16}} {
		if i > 0 {
			text = append(text, '-')
		}
		text = hex.AppendEncode(text, u[bounds[0]:bounds[1]])
	}
	return types.UID(text)
}

// version64 is a version, which is a decimal number. 0 stands for what is none.
type version64 uint64

func versionOf(text string) version64 {
	number, err := strconv.ParseUint(text, 10, 64)
	if err != nil || version64(number).of() != text {
		return 0
	}
	return version64(number)
}

// of is the version as it is written.
func (v version64) of() string { return strconv.FormatUint(uint64(v), 10) }
