// SPDX-License-Identifier: Apache-2.0

package operations_test

import (
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/daprise/daprise/test/cluster"
)

// certificates: with certificates from elsewhere, a replica is no endpoint while the API server would not accept the one that it has, says
// why, and takes a better one without a restart. One that has a good certificate keeps serving it when it is given a bad one.
func certificates(t *testing.T) {
	trusted, other := madeAuthority(t), madeAuthority(t)
	for _, hooks := range []string{mutatingHooks, validatingHooks} {
		var operations []string
		for i := range strings.Fields(field(t, ".webhooks[*].name", hooks)) {
			operations = append(operations, fmt.Sprintf(`{"op":"replace","path":"/webhooks/%d/clientConfig/caBundle","value":%q}`, i, base64.StdEncoding.EncodeToString(trusted.pem)))
		}
		kubectl(t, "patch", hooks, "--type=json", "-p", "["+strings.Join(operations, ",")+"]")
	}
	now := time.Now()
	good := certificateOf{account, trusted, now.Add(-time.Hour), now.Add(time.Hour)}
	for i, bad := range []struct {
		name string
		certificateOf
		says string
	}{
		{"of another CA", certificateOf{account, other, now.Add(-time.Hour), now.Add(time.Hour)}, "certificate signed by unknown authority"},
		{"expired", certificateOf{account, trusted, now.Add(-2 * time.Hour), now.Add(-time.Hour)}, "certificate has expired or is not yet valid"},
		{"of another Service", certificateOf{"other", trusted, now.Add(-time.Hour), now.Add(time.Hour)}, "certificate is valid for other.daprise-system.svc, not daprise-webhook.daprise-system.svc"},
		{"not yet valid", certificateOf{account, trusted, now.Add(time.Hour), now.Add(2 * time.Hour)}, "certificate has expired or is not yet valid"},
	} {
		t.Run(bad.name, func(t *testing.T) {
			dir := t.TempDir()
			bad.write(t, dir)
			r := launchReplica(t, "--tls=files", "--tls-cert-dir="+dir)
			cluster.Eventually(t, r.unready(t, bad.says))
			good.write(t, dir)
			cluster.Eventually(t, func() error { return r.ready(t) })
			bad.write(t, dir)
			enrol(t, fmt.Sprintf("certificates-%d", i))
			good.swap(t, dir)
			cluster.Eventually(t, r.logged("private key does not match public key"))
			apply(t, in(fmt.Sprintf("certificates-%d", i), route))
			if err := r.ready(t); err != nil {
				t.Error(err)
			}
		})
	}
}

// unready is nil while the replica is not ready and its log says why.
func (r *replica) unready(t *testing.T, why string) func() error {
	return func() error {
		t.Helper()
		if r.ready(t) == nil {
			t.Fatal("ready")
		}
		return r.logged(why)()
	}
}

// logged is nil once the replica's log says so.
func (r *replica) logged(text string) func() error {
	return func() error {
		log, err := os.ReadFile(shared.LogPath(r.name))
		if err == nil && !strings.Contains(string(log), text) {
			err = fmt.Errorf("the log does not say %q", text)
		}
		return err
	}
}

func (r *replica) ready(t *testing.T) error {
	t.Helper()
	if err := r.program.Running(); err != nil {
		t.Fatal(err)
	}
	if text := r.says("readyz"); text != "" {
		return errors.New(text)
	}
	return nil
}

// certificateOf is a certificate for daprise's Service.
type certificateOf struct {
	service  string
	by       *authority
	from, to time.Time
}

func (c certificateOf) write(t *testing.T, dir string) {
	t.Helper()
	certificate, key := c.issue(t)
	keep(t, dir, certificate, key)
}

// swap writes a certificate with the key of another one.
func (c certificateOf) swap(t *testing.T, dir string) {
	t.Helper()
	certificate, _ := c.issue(t)
	_, key := c.issue(t)
	keep(t, dir, certificate, key)
}

func (c certificateOf) issue(t *testing.T) (certificate, key []byte) {
	t.Helper()
	certificate, key, err := c.by.issue(&x509.Certificate{
		DNSNames: []string{c.service + "." + system + ".svc"}, NotBefore: c.from, NotAfter: c.to, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	if err != nil {
		t.Fatal(err)
	}
	return certificate, key
}

func keep(t *testing.T, dir string, certificate, key []byte) {
	t.Helper()
	for name, data := range map[string][]byte{"tls.crt": certificate, "tls.key": key} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func madeAuthority(t *testing.T) *authority {
	t.Helper()
	a, err := newAuthority("certificates")
	if err != nil {
		t.Fatal(err)
	}
	return a
}
