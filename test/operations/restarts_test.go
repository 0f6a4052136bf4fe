// SPDX-License-Identifier: Apache-2.0

package operations_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/daprise/daprise/test/cluster"
	"github.com/daprise/daprise/webhook/hooks"
)

// theControlPlaneRestarts: etcd and the API server end and come back under load. Nothing is refused by daprise meanwhile, the replicas live on, and
// afterwards both admission and companions are as before.
func theControlPlaneRestarts(t *testing.T) {
	const ns = "restarts"
	noneIsBeingDeleted(t)
	both := []*replica{startReplica(t), startReplica(t)}
	enrol(t, ns)
	before := target(t, ns)
	l := startLoad(t, ns)
	l.await(loadRate)
	if err := shared.RestartEtcd(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := shared.RestartAPIServer(t.Context()); err != nil {
		t.Fatal(err)
	}
	hooksAreMendedSoon(t)
	for _, r := range both {
		cluster.Eventually(t, func() error { return r.ready(t) })
	}
	l.await(l.sofar() + 2*loadRate)
	calls, failures := l.stop()
	t.Logf("%d admissions, %d failed", calls, len(failures))
	for _, err := range failures {
		if strings.Contains(err.Error(), "[DPR") {
			t.Fatalf("refused for want of a control plane: %v", err)
		}
	}
	refused(t, "[DPR301]", strings.ReplaceAll(in(ns, service), "enabled", "enable"))
	apply(t, strings.ReplaceAll(in(ns, service), "whoami", "later"), strings.ReplaceAll(in(ns, isolated), "APP", "later"), in(ns, route))
	cluster.Eventually(t, func() error {
		if why := field(t, `.status.conditions[?(@.type=="Companion")].reason`, "service", "-n", ns, "later"); why != "Ready" {
			return fmt.Errorf("companion: %q", why)
		}
		return nil
	})
	if after := target(t, ns); before != after {
		t.Errorf("the route went from %q to %q", before, after)
	}
}

// noneIsBeingDeleted waits for namespaces of earlier tests: an API server that has just started does not serve CRDs' kinds yet, and Kubernetes' namespace
// controller may take a namespace for empty then. What is left in it nobody can change any more, and a mesh in it cannot be taken apart.
func noneIsBeingDeleted(t *testing.T) {
	t.Helper()
	cluster.Eventually(t, func() error {
		if left := field(t, `.items[?(@.status.phase=="Terminating")].metadata.name`, "namespaces"); left != "" {
			return fmt.Errorf("still being deleted: %s", left)
		}
		return nil
	})
}

// hooksAreMendedSoon: what is edited as soon as the API server is back is written back, though watches come back with a backoff of theirs.
func hooksAreMendedSoon(t *testing.T) {
	t.Helper()
	began, index := time.Now(), hookIndex(t, validatingHooks, "enrolment")
	kubectl(t, "patch", validatingHooks, "--type=json", "-p", fmt.Sprintf(`[{"op":"replace","path":"/webhooks/%d/failurePolicy","value":"Ignore"}]`, index))
	cluster.Eventually(t, func() error {
		if policy := field(t, fmt.Sprintf(".webhooks[%d].failurePolicy", index), validatingHooks); policy != "Fail" {
			return errors.New("failurePolicy is " + policy)
		}
		return nil
	})
	took := time.Since(began)
	t.Logf("written back after %s", took.Round(100*time.Millisecond))
	if took > 40*time.Second {
		t.Errorf("an edited hook stayed edited for %s", took)
	}
}

// theCAIsReplaced: the Secret of daprise's own CA is deleted under load. Another CA is made, the old one stays in the caBundle beside it,
// replicas go over to certificates of the new one, and no call fails.
func theCAIsReplaced(t *testing.T) {
	const ns = "replaced"
	both := []*replica{startReplica(t), startReplica(t)}
	enrol(t, ns)
	old := ownCA(t)
	if old == nil {
		t.Fatal("no CA")
	}
	l := startLoad(t, ns)
	l.await(loadRate)
	kubectl(t, "delete", "secret", "-n", system, "daprise-webhook-ca")
	cluster.Eventually(t, func() error {
		next := ownCA(t)
		if next == nil || next.Equal(old) {
			return errors.New("no new CA")
		}
		if err := bundled(t, next, old); err != nil {
			return err
		}
		for _, r := range both {
			if err := r.shown(t).CheckSignatureFrom(next); err != nil {
				return fmt.Errorf("%s: %w", r.name, err)
			}
		}
		return nil
	})
	l.await(l.sofar() + 2*loadRate)
	calls, failures := l.stop()
	t.Logf("%d admissions in %s, %d failed", calls, l.took().Round(time.Second), len(failures))
	if len(failures) > 0 {
		t.Errorf("first failure: %v", failures[0])
	}
}

// ownCA is the CA in daprise's Secret, or nil.
func ownCA(t *testing.T) *x509.Certificate {
	t.Helper()
	data, err := base64.StdEncoding.DecodeString(field(t, `.data.ca\.crt`, "secret", "-n", system, "daprise-webhook-ca"))
	if err != nil {
		t.Fatal(err)
	}
	if all := hooks.Certificates(data); len(all) > 0 {
		return all[0]
	}
	return nil
}

// bundled is nil if the API server trusts all of these CAs for every webhook.
func bundled(t *testing.T, authorities ...*x509.Certificate) error {
	t.Helper()
	for _, configuration := range []string{mutatingHooks, validatingHooks} {
		for _, encoded := range strings.Fields(field(t, ".webhooks[*].clientConfig.caBundle", configuration)) {
			bundle, err := base64.StdEncoding.DecodeString(encoded)
			if err != nil {
				t.Fatal(err)
			}
			all := hooks.Certificates(bundle)
			for _, a := range authorities {
				if !slices.ContainsFunc(all, a.Equal) {
					return fmt.Errorf("%s: one of %d CAs is not among %d", configuration, len(authorities), len(all))
				}
			}
		}
	}
	return nil
}

// shown is the certificate that the replica's admission port shows.
func (r *replica) shown(t *testing.T) *x509.Certificate {
	t.Helper()
	connection, err := tls.Dial("tcp", net.JoinHostPort(address(t), strconv.Itoa(r.webhook)), &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // it is looked at by hand
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close() }()
	return connection.ConnectionState().PeerCertificates[0]
}
