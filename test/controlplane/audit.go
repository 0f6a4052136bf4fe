// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// errNoAudit tells a test that it asked for nothing to be recorded.
var errNoAudit = errors.New("no audit log: Options.AuditPolicy is empty")

// AuditEverything is an audit policy that records metadata and annotations of
// every finished write request: which webhooks were called and what they changed is among the
// annotations. Reads are not recorded.
func AuditEverything() []byte {
	return []byte(`apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  verbs: [get, list, watch]
- level: Metadata
`)
}

// AuditEvent is the part of an audit.k8s.io/v1 Event that tests look at.
type AuditEvent struct {
	AuditID    string `json:"auditID"`
	Stage      string `json:"stage"`
	Verb       string `json:"verb"`
	RequestURI string `json:"requestURI"`
	UserAgent  string `json:"userAgent"`
	User       struct {
		Username string   `json:"username"`
		Groups   []string `json:"groups"`
	} `json:"user"`
	ObjectRef struct {
		APIGroup    string `json:"apiGroup"`
		APIVersion  string `json:"apiVersion"`
		Resource    string `json:"resource"`
		Subresource string `json:"subresource"`
		Namespace   string `json:"namespace"`
		Name        string `json:"name"`
	} `json:"objectRef"`
	ResponseStatus struct {
		Code    int32  `json:"code"`
		Message string `json:"message"`
		Reason  string `json:"reason"`
	} `json:"responseStatus"`
	// Annotations, for example mutation.webhook.admission.k8s.io/round_0_index_0.
	Annotations    map[string]string `json:"annotations"`
	RequestObject  json.RawMessage   `json:"requestObject"`
	ResponseObject json.RawMessage   `json:"responseObject"`
}

// AuditEvents returns what has been recorded so far, oldest first. An event
// can appear a moment after its request was answered: poll for the last one awaited.
func (cp *ControlPlane) AuditEvents() ([]AuditEvent, error) {
	if len(cp.options.AuditPolicy) == 0 {
		return nil, errNoAudit
	}
	file, err := os.Open(cp.file(fileAuditLog))
	if err != nil {
		return nil, fmt.Errorf("read the audit log: %w", err)
	}
	defer func() { _ = file.Close() }()
	return readAuditEvents(bufio.NewReader(file))
}

// readAuditEvents reads one event a line. A last line without its end is still
// being written: it is left for the next call.
func readAuditEvents(lines *bufio.Reader) ([]AuditEvent, error) {
	var events []AuditEvent
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return events, nil
		}
		if err != nil {
			return events, fmt.Errorf("read the audit log: %w", err)
		}
		var event AuditEvent
		if err := json.Unmarshal(line, &event); err != nil {
			return events, fmt.Errorf("read the audit log: event %d: %w", len(events)+1, err)
		}
		events = append(events, event)
	}
}

func (cp *ControlPlane) writeAuditPolicy() error {
	if len(cp.options.AuditPolicy) == 0 {
		return nil
	}
	return os.WriteFile(cp.file(fileAuditPolicy), cp.options.AuditPolicy, 0o644)
}
