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
func (cp *ControlPlane) StopAPIServer() error {
	cp.mu.Lock()
	defer cp.mu.Unlock()
	isServer := func(p *process) bool { return p.name == apiServer }
	i := slices.IndexFunc(cp.processes, isServer)
	if i < 0 {
		return nil
	}
	server := cp.processes[i]
	cp.processes = slices.Delete(cp.processes, i, i+1)
	return server.stop(grace)
}

// StartAPIServer starts kube-apiserver after StopAPIServer, on the same data
// and port, and returns when it is ready.
func (cp *ControlPlane) StartAPIServer(ctx context.Context) error {
	if err := cp.run(apiServer, cp.apiServerFlags()); err != nil {
		return err
	}
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
