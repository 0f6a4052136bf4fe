// SPDX-License-Identifier: Apache-2.0

//go:build linux

package world

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/daprise/daprise/test/datapath/build"
)

// diagnoseLines is how much of a log is shown.
const diagnoseLines = 15

// Diagnose writes what somebody needs who sees only a failure: the objects
// concerned, and the ends of the logs, which are gone afterwards.
func (w *World) Diagnose(to io.Writer) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(to, format+"\n", args...) }
	if w.ControlPlane == nil || w.Client == nil || w.Kubelet == nil {
		return
	}
	for _, args := range [][]string{
		{"get", "pods,services,endpointslices,daemonsets,deployments", "-A", "-o", "wide"},
		{"get", "events", "-A", "--field-selector", "type=Warning"},
		{"get", "gateways,httproutes", "-A", "-o", "yaml"},
	} {
		out, err := w.Kubectl(ctx, args...)
		if err != nil {
			say("kubectl %s: %v", strings.Join(args, " "), err)
		}
		say("--- kubectl %s\n%s%s", strings.Join(args, " "), out.Stdout, out.Stderr)
	}
	say("--- end of kube-proxy's log:\n%s", end(w.LogPath(build.KubeProxy)))
	var pods corev1.PodList
	if err := w.Client.List(ctx, &pods); err != nil {
		say("list pods: %v", err)
	}
	for _, pod := range pods.Items {
		for _, c := range pod.Spec.Containers {
			say("--- end of the log of %s/%s %s:\n%s", pod.Namespace, pod.Name, c.Name, end(w.Kubelet.PodLog(pod.Namespace, pod.Name, c.Name)))
		}
	}
}

func end(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	return strings.Join(lines[max(0, len(lines)-diagnoseLines):], "\n")
}
