// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"context"
	"net/http"
	"slices"
)

// URL of the API server.
func (cp *ControlPlane) URL() string { return loopback("https", cp.ports.api) }

// StopAPIServer ends kube-apiserver alone, as an outage of the control plane.
func (cp *ControlPlane) StopAPIServer() error { return cp.end(apiServer) }

// StopControllerManager ends kube-controller-manager alone: nothing makes pods of workloads any more, or removes what is left over.
func (cp *ControlPlane) StopControllerManager() error { return cp.end(controllerManager) }

// end ends one of the programs gracefully. Where it does not run, nothing happens.
func (cp *ControlPlane) end(program string) error {
	cp.mu.Lock()
	defer cp.mu.Unlock()
	i := slices.IndexFunc(cp.processes, func(p *process) bool { return p.name == program })
	if i < 0 {
		return nil
	}
	ended := cp.processes[i]
	cp.processes = slices.Delete(cp.processes, i, i+1)
	return ended.stop(grace)
}

// StartAPIServer starts kube-apiserver after StopAPIServer, on the same data
// and port, and returns when it is ready.
func (cp *ControlPlane) StartAPIServer(ctx context.Context) error {
	if err := cp.run(apiServer, cp.apiServerFlags()); err != nil {
		return err
	}
	return cp.waitAPIServer(ctx)
}

func (cp *ControlPlane) waitAPIServer(ctx context.Context) error {
	return cp.wait(ctx, "the API server", func(ctx context.Context) (bool, error) {
		status := 0
		// Refused connections are what is waited out.
		_ = cp.kube.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).StatusCode(&status)
		return status == http.StatusOK, nil
	})
}

// RestartAPIServer is StopAPIServer and StartAPIServer: watches break, data stays.
func (cp *ControlPlane) RestartAPIServer(ctx context.Context) error {
	if err := cp.StopAPIServer(); err != nil {
		return err
	}
	return cp.StartAPIServer(ctx)
}

// RestartEtcd ends etcd and starts it again on its data, and returns when the API server is ready again, which answers errors meanwhile.
func (cp *ControlPlane) RestartEtcd(ctx context.Context) error {
	if err := cp.end(etcd); err != nil {
		return err
	}
	if err := cp.run(etcd, etcdFlags(cp.Dir(), cp.ports)); err != nil {
		return err
	}
	return cp.waitAPIServer(ctx)
}
