// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"fmt"
	"path/filepath"
)

// Files in the folder of a control plane.
const (
	fileCA             = "ca.crt"
	fileServerCert     = "apiserver.crt"
	fileServerKey      = "apiserver.key"
	fileTokenKey       = "token.key"
	fileTokenPublicKey = "token.pub"
	fileAuditPolicy    = "audit-policy.yaml"
	fileAuditLog       = "audit.log"
	fileKubeconfig     = "kubeconfig"
	filePIDs           = "pids"
)

// Addresses inside the cluster that nothing listens on: no packet is ever sent
// there.
const (
	serviceCIDR         = "10.96.0.0/16"
	kubernetesServiceIP = "10.96.0.1"
	tokenIssuer         = "https://kubernetes.default.svc.cluster.local"
)

// Programs, by the name of their file, process and log.
const (
	etcd              = "etcd"
	apiServer         = "kube-apiserver"
	controllerManager = "kube-controller-manager"
	scheduler         = "kube-scheduler"
	kwok              = "kwok"
	kubectl           = "kubectl"
)

// ports on 127.0.0.1.
type ports struct{ api, etcd, etcdPeer int }

func loopback(scheme string, port int) string {
	return fmt.Sprintf("%s://127.0.0.1:%d", scheme, port)
}

func etcdFlags(dir string, p ports) []string {
	client, peer := loopback("http", p.etcd), loopback("http", p.etcdPeer)
	return []string{
		"--data-dir=" + filepath.Join(dir, "etcd"),
		"--listen-client-urls=" + client,
		"--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer,
		"--initial-advertise-peer-urls=" + peer,
		"--initial-cluster=default=" + peer,
		"--log-level=warn",
		// The data is thrown away: a crash of the machine may lose it.
		"--unsafe-no-fsync",
	}
}

func (cp *ControlPlane) apiServerFlags() []string {
	file := cp.file
	flags := []string{
		"--etcd-servers=" + loopback("http", cp.ports.etcd),
		"--bind-address=127.0.0.1",
		"--advertise-address=127.0.0.1",
		fmt.Sprintf("--secure-port=%d", cp.ports.api),
		// EndpointSlices refuse loopback addresses, so the Service kubernetes has no endpoint.
		"--endpoint-reconciler-type=none",
		"--service-cluster-ip-range=" + serviceCIDR,
		"--client-ca-file=" + file(fileCA),
		"--tls-cert-file=" + file(fileServerCert),
		"--tls-private-key-file=" + file(fileServerKey),
		"--service-account-issuer=" + tokenIssuer,
		"--service-account-signing-key-file=" + file(fileTokenKey),
		"--service-account-key-file=" + file(fileTokenPublicKey),
		"--authorization-mode=Node,RBAC",
		// Added to the default ones, of which PodSecurity, the two admission webhook plugins,
		// ValidatingAdmissionPolicy and, where there is one, MutatingAdmissionPolicy are some.
		"--enable-admission-plugins=NodeRestriction",
		"--allow-privileged=true",
		"--profiling=false",
	}
	if len(cp.options.AuditPolicy) > 0 {
		flags = append(flags,
			"--audit-policy-file="+file(fileAuditPolicy),
			"--audit-log-path="+file(fileAuditLog),
			"--audit-log-mode=blocking",
		)
	}
	return append(flags, cp.options.APIServerFlags...)
}

func (cp *ControlPlane) controllerManagerFlags() []string {
	return []string{
		"--kubeconfig=" + cp.file(controllerManager+".kubeconfig"),
		"--service-account-private-key-file=" + cp.file(fileTokenKey),
		"--root-ca-file=" + cp.file(fileCA),
		// As on real clusters: one ServiceAccount per controller, so that admission and RBAC see
		// which controller writes.
		"--use-service-account-credentials=true",
		"--controllers=*",
		"--leader-elect=false",
		"--secure-port=0",
		"--kube-api-qps=200",
		"--kube-api-burst=400",
		"--profiling=false",
	}
}

func (cp *ControlPlane) schedulerFlags() []string {
	return []string{
		"--kubeconfig=" + cp.file(scheduler+".kubeconfig"),
		"--leader-elect=false",
		"--secure-port=0",
		"--kube-api-qps=200",
		"--kube-api-burst=400",
		"--profiling=false",
	}
}

func (cp *ControlPlane) kwokFlags(stages string) []string {
	return []string{
		"--kubeconfig=" + cp.file(kwok+".kubeconfig"),
		"--config=" + stages,
		"--manage-all-nodes=true",
		"--node-lease-duration-seconds=40",
	}
}
