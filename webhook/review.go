// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/daprise/daprise/mesh/rawjson"
)

// errMalformed marks a review that no API server sends: an HTTP 400.
var errMalformed = errors.New("malformed AdmissionReview")

// decodeReview reads an admission.k8s.io/v1 AdmissionReview and checks that it holds what its operation needs. Every error wraps
// errMalformed. The request is returned, as far as it could be read, even with an error, so that the answer can name its UID.
func decodeReview(body []byte) (*admissionv1.AdmissionRequest, error) {
	review, err := readReview(body)
	if err != nil {
		return review.request, fmt.Errorf("%w: %w", errMalformed, err)
	}
	if review.apiVersion != admissionv1.SchemeGroupVersion.String() || review.kind != "AdmissionReview" {
		return review.request, fmt.Errorf("%w: got %.64q %.64q, want %q %q", errMalformed,
			review.apiVersion, review.kind, admissionv1.SchemeGroupVersion.String(), "AdmissionReview")
	}
	request := review.request
	if request == nil {
		return nil, fmt.Errorf("%w: no request", errMalformed)
	}
	if request.UID == "" {
		return request, fmt.Errorf("%w: no request.uid", errMalformed)
	}
	return request, checkObjects(request)
}

// review is what is read of an AdmissionReview.
type review struct {
	apiVersion, kind string
	request          *admissionv1.AdmissionRequest
}

func readReview(body []byte) (review, error) {
	var r review
	err := rawjson.Object(body, func(key []byte, value json.RawMessage) error {
		switch string(key) {
		case "apiVersion":
			return rawjson.Text(value, &r.apiVersion)
		case "kind":
			return rawjson.Text(value, &r.kind)
		case "request":
			if absent(value) {
				return nil
			}
			r.request = &admissionv1.AdmissionRequest{}
			return rawjson.EachField(value, func(key []byte, value json.RawMessage) error { return readRequest(r.request, key, value) })
		}
		return nil
	})
	return r, err
}

// readRequest reads one field of a request, of those that decisions ask for. Objects stay bytes.
func readRequest(r *admissionv1.AdmissionRequest, key []byte, value json.RawMessage) error {
	switch string(key) {
	case "uid":
		return rawjson.Text(value, &r.UID)
	case "kind":
		return rawjson.EachField(value, typed{&r.Kind.Group, &r.Kind.Version, "kind", &r.Kind.Kind}.read)
	case "resource":
		return rawjson.EachField(value, typed{&r.Resource.Group, &r.Resource.Version, "resource", &r.Resource.Resource}.read)
	case "subResource":
		return rawjson.Text(value, &r.SubResource)
	case "name":
		return rawjson.Text(value, &r.Name)
	case "namespace":
		return rawjson.Text(value, &r.Namespace)
	case "operation":
		return rawjson.Text(value, &r.Operation)
	case "userInfo":
		return rawjson.EachField(value, func(key []byte, value json.RawMessage) error {
			if string(key) != "username" {
				return nil
			}
			return rawjson.Text(value, &r.UserInfo.Username)
		})
	case "object":
		r.Object.Raw = value
	case "oldObject":
		r.OldObject.Raw = value
	case "dryRun":
		return rawjson.Decode(value, &r.DryRun)
	}
	return nil
}

// typed reads a GroupVersionKind or a GroupVersionResource.
type typed struct {
	group, version *string
	name           string
	value          *string
}

func (t typed) read(key []byte, value json.RawMessage) error {
	switch string(key) {
	case "group":
		return rawjson.Text(value, t.group)
	case "version":
		return rawjson.Text(value, t.version)
	case t.name:
		return rawjson.Text(value, t.value)
	}
	return nil
}

// checkObjects checks that the objects of the operation are there: the new one unless it is deleted, the old one unless it is created.
func checkObjects(request *admissionv1.AdmissionRequest) error {
	switch request.Operation {
	case admissionv1.Create, admissionv1.Update, admissionv1.Delete, admissionv1.Connect:
	default:
		return fmt.Errorf("%w: unknown operation %.64q", errMalformed, request.Operation)
	}
	if (request.Operation == admissionv1.Create || request.Operation == admissionv1.Update) && absent(request.Object.Raw) {
		return fmt.Errorf("%w: %s without request.object", errMalformed, request.Operation)
	}
	if (request.Operation == admissionv1.Update || request.Operation == admissionv1.Delete) && absent(request.OldObject.Raw) {
		return fmt.Errorf("%w: %s without request.oldObject", errMalformed, request.Operation)
	}
	return nil
}

func absent(raw []byte) bool {
	raw = bytes.TrimSpace(raw)
	return len(raw) == 0 || bytes.Equal(raw, []byte("null"))
}
