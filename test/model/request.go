// SPDX-License-Identifier: Apache-2.0

package model

import "net/http"

// Request is an HTTP request as it goes over a wire.
type Request struct {
	Method string
	Host   string
	// Path is percent-encoded, without the query.
	Path string
	// Query follows the question mark, or is empty.
	Query string
	// Header has canonical names. Pseudo headers and Host are not in it.
	Header http.Header
}

// clone is a request that shares no header with r.
func (r Request) clone() Request {
	r.Header = r.Header.Clone()
	if r.Header == nil {
		r.Header = http.Header{}
	}
	return r
}

// Service is a port of a Service, as a backendRef names it.
type Service struct {
	Namespace, Name string
	Port            int32
}

// Delivery is one of the things that a gateway may do with a request, with its share.
type Delivery struct {
	// Kind and From are the kind and the namespace of the route that took the request.
	Kind, From string
	// To is the zero Service where the gateway answers by itself.
	To Service
	// Weight is its share among the deliveries that are no mirrors.
	Weight int32
	// Mirror marks a copy whose answer nobody sees.
	Mirror  bool
	Request Request
	// Status is the gateway's own answer, or 0.
	Status int
}
