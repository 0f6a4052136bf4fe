// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kubelet

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// probe performs the container's probes until ctx ends: the startup probe
// first, then readiness and liveness. One line to unhealthy asks for a restart.
func (c *container) probe(ctx context.Context, unhealthy chan<- string) {
	if p := c.spec.StartupProbe; p != nil {
		if !c.waitStarted(ctx, p, unhealthy) {
			return
		}
		if c.spec.ReadinessProbe == nil {
			c.change(func(s *containerState) { s.ready = true })
		}
	}
	var both sync.WaitGroup
	if p := c.spec.ReadinessProbe; p != nil {
		both.Go(func() {
			c.observe(ctx, p, func(ok bool, _ error) bool {
				if c.snapshot().ready != ok {
					c.change(func(s *containerState) { s.ready = ok })
				}
				return true
			})
		})
	}
	if p := c.spec.LivenessProbe; p != nil {
		both.Go(func() {
			c.observe(ctx, p, func(ok bool, why error) bool {
				if !ok {
					unhealthy <- fmt.Sprintf("liveness: %v", why)
				}
				return ok
			})
		})
	}
	both.Wait()
}

func (c *container) waitStarted(ctx context.Context, p *corev1.Probe, unhealthy chan<- string) bool {
	started := false
	c.observe(ctx, p, func(ok bool, why error) bool {
		started = ok
		if !ok {
			unhealthy <- fmt.Sprintf("startup: %v", why)
		}
		return false
	})
	return started
}

// observe tells of each change that reaches a threshold, until tell says false
// or ctx ends. Nothing is told before the first threshold is reached.
func (c *container) observe(ctx context.Context, p *corev1.Probe, tell func(ok bool, why error) bool) {
	wait := time.Duration(p.InitialDelaySeconds) * time.Second
	successes, failures := int32(0), int32(0)
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		wait = time.Duration(p.PeriodSeconds) * time.Second
		err := c.try(ctx, p)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			successes, failures = successes+1, 0
		} else {
			successes, failures = 0, failures+1
		}
		if successes >= p.SuccessThreshold && !tell(true, nil) {
			return
		}
		if failures >= p.FailureThreshold && !tell(false, err) {
			return
		}
	}
}

// try performs a probe once, from the node.
func (c *container) try(ctx context.Context, p *corev1.Probe) error {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(p.TimeoutSeconds)*time.Second)
	defer cancel()
	host := c.worker.network.address.String()
	if action := p.TCPSocket; action != nil {
		port, err := c.port(action.Port)
		if err != nil {
			return err
		}
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(host, port))
		if err != nil {
			return err
		}
		return conn.Close()
	}
	if action := p.HTTPGet; action != nil {
		return c.tryHTTP(ctx, action, host)
	}
	return errors.New("neither TCP nor HTTP")
}

func (c *container) tryHTTP(ctx context.Context, action *corev1.HTTPGetAction, host string) error {
	port, err := c.port(action.Port)
	if err != nil {
		return err
	}
	url := strings.ToLower(string(action.Scheme)) + "://" + net.JoinHostPort(host, port) + "/" + strings.TrimPrefix(action.Path, "/")
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	request.Header.Set("User-Agent", "kube-probe/1.37")
	for _, header := range action.HTTPHeaders {
		request.Header.Add(header.Name, header.Value)
	}
	// A kubelet does not check certificates either, and keeps no connection.
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode < 200 || response.StatusCode >= 400 {
		return fmt.Errorf("%s answers %s", url, response.Status)
	}
	return nil
}

func (c *container) port(port intstr.IntOrString) (string, error) {
	if port.Type == intstr.Int {
		return strconv.Itoa(port.IntValue()), nil
	}
	for _, p := range c.spec.Ports {
		if p.Name == port.StrVal {
			return strconv.Itoa(int(p.ContainerPort)), nil
		}
	}
	return "", fmt.Errorf("the container has no port named %s", port.StrVal)
}
