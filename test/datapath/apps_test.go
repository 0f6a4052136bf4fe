// SPDX-License-Identifier: Apache-2.0

//go:build e2e && linux

package datapath

import (
	"encoding/json"
	"net/http"
	"strings"
)

// said is the header that whichever app answered says it received.
func said(r response) http.Header {
	var s seen
	if strings.HasPrefix(r.body, "{") && json.Unmarshal([]byte(r.body), &s) == nil && s.App != "" {
		return s.Header
	}
	return read(r.status, r.body).header
}
