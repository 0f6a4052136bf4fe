// SPDX-License-Identifier: Apache-2.0

package controller

import (
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/selection"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/mesh"
)

// heardPods has companions looked at whose coverage depends on pods that changed. Pods are many, so that none is cached; what is watched are
// the metadata of two kinds: pods that bear a companion's guarded label, which are few, and the EndpointSlices of enrolled Services, which
// have the labels of their Service (kubernetes pkg/controller/endpointslice) and change as the app's pods come and go. A pod whose labels
// are edited in place stays an endpoint: the sweep finds that.
func (t *triggers) heardPods(c change) {
	label := mesh.LabelAppID
	if c.kind == kindHolder {
		label = mesh.LabelCompanion
		if mesh.CompanionOfPod(one(c)) != "" {
			return
		}
	}
	t.loader.pods.expire(one(c).GetNamespace())
	t.companions.addAfter(podsAtMost, refsBy(label, c)...)
}

func podKind() schema.GroupVersionKind { return corev1.SchemeGroupVersion.WithKind("Pod") }

func endpointsKind() schema.GroupVersionKind {
	return discoveryv1.SchemeGroupVersion.WithKind("EndpointSlice")
}

// holderSelector selects pods that bear the guarded label, our own among them.
func holderSelector() labels.Selector {
	return labels.NewSelector().Add(requirement(mesh.LabelCompanion, selection.Exists))
}

// metadataOf is an object of a kind of which the metadata alone is watched.
func metadataOf(gvk schema.GroupVersionKind) *metav1.PartialObjectMetadata {
	object := &metav1.PartialObjectMetadata{}
	object.SetGroupVersionKind(gvk)
	return object
}

func metadataListOf(gvk schema.GroupVersionKind) *metav1.PartialObjectMetadataList {
	list := &metav1.PartialObjectMetadataList{}
	gvk.Kind += "List"
	list.SetGroupVersionKind(gvk)
	return list
}

// onlyOwners keeps of metadata what heardPods reads.
func onlyOwners(object client.Object) {
	object.SetManagedFields(nil)
	object.SetAnnotations(nil)
	object.SetFinalizers(nil)
}
