// SPDX-License-Identifier: Apache-2.0

package controller

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// A packed object is a client.Object: what finds it and tells it apart is read as it is, annotations by unpacking them. It is shared and read
// only, so that nothing can be set.

func (p *packed) GetNamespace() string                        { return p.head.namespace }
func (p *packed) GetName() string                             { return p.name }
func (p *packed) GetGenerateName() string                     { return "" }
func (p *packed) GetGeneration() int64                        { return p.generation }
func (p *packed) GetSelfLink() string                         { return "" }
func (p *packed) GetCreationTimestamp() metav1.Time           { return metav1.Time{} }
func (p *packed) GetDeletionGracePeriodSeconds() *int64       { return nil }
func (p *packed) GetLabels() map[string]string                { return p.head.labels }
func (p *packed) GetFinalizers() []string                     { return nil }
func (p *packed) GetOwnerReferences() []metav1.OwnerReference { return p.head.owners }

// GetUID unpacks where the UID is none of the API server's.
func (p *packed) GetUID() types.UID {
	if p.uid != (uid{}) {
		return p.uid.of()
	}
	return p.meta().UID
}

// GetResourceVersion unpacks where the version is not a number.
func (p *packed) GetResourceVersion() string {
	if p.version != 0 {
		return p.version.of()
	}
	return p.meta().ResourceVersion
}

// GetDeletionTimestamp tells that the object is being deleted, and not since when.
func (p *packed) GetDeletionTimestamp() *metav1.Time {
	if !p.deleted {
		return nil
	}
	return &metav1.Time{}
}

// GetAnnotations unpacks.
func (p *packed) GetAnnotations() map[string]string { return p.meta().Annotations }

// meta unpacks the metadata; of what cannot be unpacked there is none.
func (p *packed) meta() metav1.ObjectMeta {
	var read metav1.PartialObjectMetadata
	if p.into(&read) != nil {
		return metav1.ObjectMeta{}
	}
	return read.ObjectMeta
}

// GetManagedFields tells only whether an autoscaler has set the replicas.
func (p *packed) GetManagedFields() []metav1.ManagedFieldsEntry {
	if !p.autoscaled {
		return nil
	}
	return []metav1.ManagedFieldsEntry{{Manager: autoscaler, Subresource: "scale"}}
}

func (*packed) SetNamespace(string)                          {}
func (*packed) SetName(string)                               {}
func (*packed) SetGenerateName(string)                       {}
func (*packed) SetUID(types.UID)                             {}
func (*packed) SetResourceVersion(string)                    {}
func (*packed) SetGeneration(int64)                          {}
func (*packed) SetSelfLink(string)                           {}
func (*packed) SetCreationTimestamp(metav1.Time)             {}
func (*packed) SetDeletionTimestamp(*metav1.Time)            {}
func (*packed) SetDeletionGracePeriodSeconds(*int64)         {}
func (*packed) SetLabels(map[string]string)                  {}
func (*packed) SetAnnotations(map[string]string)             {}
func (*packed) SetFinalizers([]string)                       {}
func (*packed) SetOwnerReferences([]metav1.OwnerReference)   {}
func (*packed) SetManagedFields([]metav1.ManagedFieldsEntry) {}

// GetObjectKind is the kind, which a packed object always has.
func (p *packed) GetObjectKind() schema.ObjectKind { return kindOf{p.form.gvk} }

// DeepCopyObject is the object itself: nothing of it changes.
func (p *packed) DeepCopyObject() runtime.Object { return p }

// kindOf is a kind that cannot be set.
type kindOf struct{ gvk schema.GroupVersionKind }

func (k kindOf) GroupVersionKind() schema.GroupVersionKind { return k.gvk }
func (kindOf) SetGroupVersionKind(schema.GroupVersionKind) {}
