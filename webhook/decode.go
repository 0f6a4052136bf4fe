// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"fmt"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	kjson "sigs.k8s.io/json"
)

// maxName bounds what of a name is logged or answered, in bytes: the longest name of an object.
const maxName = 253

// decode reads an object as its Go type. Fields that the type does not know are left out: what is decoded is read and never written
// back. Errors wrap errUndecodable.
func decode[T any](raw []byte) (*T, error) {
	object := new(T)
	if err := kjson.UnmarshalCaseSensitivePreserveInts(raw, object); err != nil {
		return nil, fmt.Errorf("%w: %w", errUndecodable, err)
	}
	return object, nil
}

// metaOf reads an object's metadata.
func metaOf(raw []byte) (*metav1.PartialObjectMetadata, error) {
	return decode[metav1.PartialObjectMetadata](raw)
}

// versions are the object as it is written and as it was, each nil where there is none.
func versions(request *admissionv1.AdmissionRequest) [][]byte {
	var all [][]byte
	for _, raw := range [][]byte{request.Object.Raw, request.OldObject.Raw} {
		if !absent(raw) {
			all = append(all, raw)
		}
	}
	return all
}

// nameIn reads the name of an object, or "" where it has none that can be read.
func nameIn(raw []byte) string {
	if absent(raw) {
		return ""
	}
	object, err := metaOf(raw)
	if err != nil {
		return ""
	}
	return object.Name
}

func schemaVersion(request *admissionv1.AdmissionRequest) string {
	return schema.GroupVersion{Group: cut(request.Kind.Group, maxName), Version: cut(request.Kind.Version, maxName)}.String()
}
