// SPDX-License-Identifier: Apache-2.0

package mutate

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/daprise/daprise/mesh"
)

// lostHeader says what of a request is lost with a header that Dapr does not give the app over HTTP, or nothing (dapr/dapr,
// pkg/messaging/v1, InternalMetadataToHTTPHeader).
func lostHeader(name string) string {
	lower := strings.ToLower(name)
	switch lower {
	case "upgrade":
		return "the header Upgrade"
	case "te", "trailer":
		return fmt.Sprintf("the header %s (trailers)", name)
	case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "http2-settings", "proxy-authorization", "proxy-authenticate":
		return fmt.Sprintf("the header %s (it is for one hop only)", name)
	case "host":
		return "the host name of requests"
	case "destination-app-id":
		return fmt.Sprintf("the header %s", name)
	}
	switch {
	case strings.HasSuffix(lower, "-bin"):
		return fmt.Sprintf("the header %s", name)
	case strings.HasPrefix(lower, "grpc-"):
		return fmt.Sprintf("the header %s (it arrives as dapr-%s)", name, lower)
	}
	return ""
}

// lostOfHeaders are those of a modifier's headers that the app does not get.
func lostOfHeaders(headers []gatewayv1.HTTPHeader, field string) []loss {
	var losses []loss
	for i := range headers {
		if lost := lostHeader(string(headers[i].Name)); lost != "" {
			losses = append(losses, loss{field: fmt.Sprintf("%s[%d]", field, i), what: lost})
		}
	}
	return losses
}

// lostBody says whether a rule takes requests by the length of a body that is over the limit of one of its apps.
func lostBody(p *plan, header *headerMatch) (loss, bool) {
	if !strings.EqualFold(header.name, "content-length") || !header.exact() {
		return loss{}, false
	}
	length, err := strconv.ParseInt(header.value, 10, 64)
	if err != nil {
		return loss{}, false
	}
	for _, app := range p.apps {
		if limit := mesh.LimitsOf(p.ingress, app).Body; length > limit {
			return loss{
				what: fmt.Sprintf("a body of %d bytes, over the limit of %d", length, limit),
				advice: fmt.Sprintf("Annotate Gateway %s and the enrolled object of app %q with %smax-body-size of at least %d",
					gatewayOf(p.ingress), app.AppRef, mesh.DaprPrefix, length),
			}, true
		}
	}
	return loss{}, false
}

// lostOfHeaderSize says whether the headers that a rule wants of its requests, or gives them, are by themselves over the limit.
func lostOfHeaderSize(p *plan) []loss {
	const around = len(": \r\n")
	given := 0
	for i := range p.Filters {
		if modifier := p.Filters[i].RequestHeaderModifier; modifier != nil {
			for _, h := range slices.Concat(modifier.Set, modifier.Add) {
				given += len(h.Name) + len(h.Value) + around
			}
		}
	}
	wanted, field := 0, "filters"
	for i := range p.Matches {
		size := 0
		for h := range p.Matches[i].headers {
			if header := &p.Matches[i].headers[h]; header.exact() {
				size += len(header.name) + len(header.value) + around
			}
		}
		if size > wanted {
			wanted, field = size, fmt.Sprintf("matches[%d].headers", i)
		}
	}
	if given > 0 {
		field = "filters"
	}
	limit := mesh.LimitsOf(p.ingress, p.apps[0]).Headers
	if int64(given+wanted) <= limit {
		return nil
	}
	return []loss{{
		field: field, what: fmt.Sprintf("headers of %d bytes, over the limit of %d", given+wanted, limit),
		advice: fmt.Sprintf("Annotate Gateway %s with %sread-buffer-size of more than that", gatewayOf(p.ingress), mesh.DaprPrefix),
	}}
}
