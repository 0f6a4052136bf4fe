// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// NodeName is the name of the i-th node, counted from 1.
func NodeName(i int) string { return fmt.Sprintf("node-%d", i) }

// newNode is a Node as a kubelet would register it; kwok fills its status. The
// addresses exist nowhere.
func newNode(i int) *corev1.Node {
	name := NodeName(i)
	podCIDR := fmt.Sprintf("10.%d.0.0/16", 100+i)
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name: name,
			Labels: map[string]string{
				corev1.LabelHostname:   name,
				corev1.LabelOSStable:   "linux",
				corev1.LabelArchStable: "amd64",
			},
		},
		Spec: corev1.NodeSpec{PodCIDR: podCIDR, PodCIDRs: []string{podCIDR}},
		Status: corev1.NodeStatus{Addresses: []corev1.NodeAddress{
			{Type: corev1.NodeInternalIP, Address: fmt.Sprintf("10.0.0.%d", 100+i)},
			{Type: corev1.NodeHostName, Address: name},
		}},
	}
}

func (cp *ControlPlane) createNodes(ctx context.Context) error {
	for i := 1; i <= cp.options.Nodes; i++ {
		_, err := cp.kube.CoreV1().Nodes().Create(ctx, newNode(i), metav1.CreateOptions{})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("create node %d: %w", i, err)
		}
	}
	return nil
}

// waitNodes returns when every node can take pods: Ready, and no longer
// tainted by the controller manager.
func (cp *ControlPlane) waitNodes(ctx context.Context) error {
	return cp.wait(ctx, "the nodes", func(ctx context.Context) (bool, error) {
		nodes, err := cp.kube.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, err
		}
		ready := 0
		for i := range nodes.Items {
			if isReady(&nodes.Items[i]) {
				ready++
			}
		}
		return ready >= cp.options.Nodes, nil
	})
}

func isReady(node *corev1.Node) bool {
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue {
			return len(node.Spec.Taints) == 0
		}
	}
	return false
}

// waitDefaultServiceAccount returns when pods may be created in namespace default.
func (cp *ControlPlane) waitDefaultServiceAccount(ctx context.Context) error {
	return cp.wait(ctx, "the default ServiceAccount", func(ctx context.Context) (bool, error) {
		_, err := cp.kube.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
		return err == nil, ignore(err, apierrors.IsNotFound)
	})
}
