// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kubelet

import (
	"context"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// heartbeatEvery is a kubelet's own; the node lifecycle controller gives up on
	// a node after 50 s.
	heartbeatEvery = 10 * time.Second
	leaseSeconds   = int32(40)
)

// register makes the Node with room for every Pod of a test: what processes
// take here is bounded by the test, not by requests.
func (k *Kubelet) register(ctx context.Context) error {
	room := corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse("64"),
		corev1.ResourceMemory: resource.MustParse("256Gi"),
		corev1.ResourcePods:   resource.MustParse("110"),
	}
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: k.options.Node, Labels: map[string]string{
			corev1.LabelHostname:   k.options.Node,
			corev1.LabelOSStable:   "linux",
			corev1.LabelArchStable: "amd64",
		}},
		Status: corev1.NodeStatus{
			Capacity:    room,
			Allocatable: room,
			Addresses: []corev1.NodeAddress{
				{Type: corev1.NodeInternalIP, Address: k.options.Address.String()},
				{Type: corev1.NodeHostName, Address: k.options.Node},
			},
			Conditions: []corev1.NodeCondition{{
				Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "KubeletReady",
				LastHeartbeatTime: metav1.Now(), LastTransitionTime: metav1.Now(),
			}},
		},
	}
	_, err := k.client.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	return k.renewLease(ctx)
}

// heartbeat renews the node's lease until ctx ends. A failed renewal is tried
// again: an API server that is down is what some tests are about.
func (k *Kubelet) heartbeat(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(heartbeatEvery):
			if err := k.renewLease(ctx); err != nil && ctx.Err() == nil {
				k.tell("renew the lease of node %s: %v", k.options.Node, err)
			}
		}
	}
}

func (k *Kubelet) renewLease(ctx context.Context) error {
	leases := k.client.CoordinationV1().Leases(corev1.NamespaceNodeLease)
	now := metav1.NowMicro()
	lease, err := leases.Get(ctx, k.options.Node, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		lease = &coordinationv1.Lease{
			ObjectMeta: metav1.ObjectMeta{Name: k.options.Node, Namespace: corev1.NamespaceNodeLease},
			Spec: coordinationv1.LeaseSpec{
				HolderIdentity: new(k.options.Node), LeaseDurationSeconds: new(leaseSeconds), RenewTime: &now,
			},
		}
		_, err = leases.Create(ctx, lease, metav1.CreateOptions{})
		return err
	}
	if err != nil {
		return err
	}
	renewed := lease.DeepCopy()
	renewed.Spec.RenewTime = &now
	_, err = leases.Update(ctx, renewed, metav1.UpdateOptions{})
	return err
}
