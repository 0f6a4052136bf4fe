// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"slices"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/daprise/daprise/mesh"
)

// candidatesFor is how long Services that may belong to an enrolled Deployment are believed when read for a cached load.
const candidatesFor = 2 * time.Second

// candidates are the Services, not enrolled themselves, that may select an enrolled Deployment's pods. The caches do not hold them, so
// they are listed live, only in namespaces where an enrolled Deployment has no enrolled Service, and kept for a moment.
type candidates struct {
	mu   sync.Mutex
	kept map[string]kept
	now  func() time.Time
}

type kept struct {
	services []*corev1.Service
	at       time.Time
}

func newCandidates() *candidates { return &candidates{kept: map[string]kept{}, now: time.Now} }

// of lists the candidates for Deployments, given the enrolled Services of their namespaces.
func (c *candidates) of(ctx context.Context, d door, enrolled []*corev1.Service, deployments []*appsv1.Deployment) ([]*corev1.Service, error) {
	var found []*corev1.Service
	for _, ns := range namespacesInNeed(enrolled, deployments) {
		services, err := c.in(ctx, d, ns)
		if err != nil {
			return nil, err
		}
		found = append(found, services...)
	}
	return found, nil
}

// namespacesInNeed are those of Deployments that do not name an enrolled Service. Where none is named, an enrolled one that selects is
// not enough: another Service may select too, and then Enrol refuses.
func namespacesInNeed(enrolled []*corev1.Service, deployments []*appsv1.Deployment) []string {
	var namespaces []string
	for _, d := range deployments {
		name := d.Annotations[mesh.AnnotationService]
		known := slices.ContainsFunc(enrolled, func(s *corev1.Service) bool { return s.Namespace == d.Namespace && s.Name == name })
		if !known && !slices.Contains(namespaces, d.Namespace) {
			namespaces = append(namespaces, d.Namespace)
		}
	}
	return namespaces
}

func (c *candidates) in(ctx context.Context, d door, namespace string) ([]*corev1.Service, error) {
	fresh := d.caches == nil
	c.mu.Lock()
	known, ok := c.kept[namespace]
	c.mu.Unlock()
	if ok && !fresh && c.now().Sub(known.at) < candidatesFor {
		return slices.Clone(known.services), nil
	}
	services, _, err := list[*corev1.Service](ctx, d, kindService, scope{namespace: namespace, everything: true})
	if err != nil {
		return nil, err
	}
	services = unenrolled(services)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept[namespace] = kept{services, c.now()}
	return slices.Clone(services), nil
}

// unenrolled are the Services that are neither enrolled nor ours. One that asks to be and was not admitted yet does not count as
// enrolled: its annotations are left out.
func unenrolled(services []*corev1.Service) []*corev1.Service {
	var rest []*corev1.Service
	for _, s := range services {
		if s.Labels[mesh.LabelAppID] != "" || s.Labels[mesh.LabelManagedBy] == mesh.ManagedByDaprise {
			continue
		}
		if s.Annotations[mesh.AnnotationEnabled] != "" {
			s = s.DeepCopy()
			s.Annotations = nil
		}
		rest = append(rest, s)
	}
	return rest
}
