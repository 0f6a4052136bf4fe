// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"

	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/mesh/companion"
	"github.com/daprise/daprise/mesh/policy"
)

// digest tells rendered objects apart.
type digest [16]byte

// upToDate says whether a live object is what was rendered (companion.UpToDate).
func upToDate(wanted, live client.Object) (bool, error) {
	if p, ok := live.(*packed); ok {
		return p.isLike(wanted)
	}
	return companion.UpToDate(wanted, live)
}

// isLike unpacks once for each version and each rendered object: of most, nothing changes for days.
func (p *packed) isLike(wanted client.Object) (bool, error) {
	text, err := json.Marshal(wanted)
	if err != nil {
		return false, fmt.Errorf("encode %T: %w", wanted, err)
	}
	sum := sha256.Sum256(text)
	now := digest(sum[:len(digest{})])
	if before := p.like.Load(); before != nil && *before == now {
		return true, nil
	}
	live, err := p.whole()
	if err != nil {
		return false, err
	}
	current, err := companion.UpToDate(wanted, live)
	if err == nil && current {
		p.like.Store(&now)
	}
	return current, err
}

// policy is a packed CiliumNetworkPolicy, compiled once.
func (p *packed) policy() (*policy.Policy, error) {
	if known, ok := p.derived.Load().(*policy.Policy); ok {
		return known, nil
	}
	whole, err := wholeOf[*ciliumv2.CiliumNetworkPolicy](p)
	if err != nil {
		return nil, err
	}
	compiled := policy.CompileCNP(whole)
	p.derived.Store(compiled)
	return compiled, nil
}

// service is a packed Service as decisions read it, unpacked once.
func (p *packed) service() (*corev1.Service, error) {
	if known, ok := p.derived.Load().(*corev1.Service); ok {
		return known, nil
	}
	s, err := wholeOf[*corev1.Service](p)
	if err != nil {
		return nil, err
	}
	read := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: s.Name, Labels: p.head.labels},
		Spec:       corev1.ServiceSpec{Type: s.Spec.Type, ClusterIP: s.Spec.ClusterIP, Selector: s.Spec.Selector, Ports: s.Spec.Ports},
	}
	p.derived.Store(read)
	return read, nil
}

// serviceFrom is a Service that daprise made, packed or not.
func serviceFrom(object client.Object) (*corev1.Service, error) {
	if p, ok := object.(*packed); ok {
		return p.service()
	}
	return wholeOf[*corev1.Service](object)
}
