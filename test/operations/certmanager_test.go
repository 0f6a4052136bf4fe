// SPDX-License-Identifier: Apache-2.0

//go:build helm && certmanager

package operations_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/test/cluster"
	"github.com/daprise/daprise/test/controlplane"
	"github.com/daprise/daprise/test/controlplane/parts"
	"github.com/daprise/daprise/webhook/hooks"
)

// servingCertificate is the name of daprise's Certificate and of its Secret.
const servingCertificate = "daprise-webhook-serving"

// TestCertManager: with certificates.mode=cert-manager, cert-manager's own controllers make the certificate and inject its CA, daprise serves with
// it, and it is renewed under load, by request and by the loss of its Secret, without a failed call. Nobody writes a caBundle twice.
func TestCertManager(t *testing.T) {
	for _, e := range engines() {
		t.Run("Helm "+e.version, func(t *testing.T) { certManager(t, e) })
	}
}

func certManager(t *testing.T, e engine) {
	ns, settings := "cert-manager-"+e.version, []string{"--set", "certificates.mode=cert-manager"}
	startCertManager(t)
	withoutCertificates(t)
	before := recorded(t)
	e.installed(t, chart(), settings...)
	cluster.Eventually(t, func() error { return certified(t, 1) })
	folder := mount(t, servingCertificate)
	files := []string{"--tls=files", "--tls-cert-dir=" + folder}
	both := []*replica{startReplica(t, files...), startReplica(t, files...)}
	enrol(t, ns)
	refused(t, "[DPR301]", strings.ReplaceAll(in(ns, service), "enabled", "enable"))
	injected(t)
	written := generations(t)

	l := startLoad(t, ns)
	l.await(loadRate)
	askForRenewal(t)
	cluster.Eventually(t, func() error { return renewed(t, both, 2) })
	kubectl(t, "delete", "secret", "-n", system, servingCertificate)
	cluster.Eventually(t, func() error { return renewed(t, both, 3) })
	// An upgrade leaves the caBundle alone, too.
	e.install(t, chart(), append(settings, "--set", "replicas=3")...)
	l.await(l.sofar() + 2*loadRate)
	calls, failures := l.stop()
	t.Logf("%d admissions in %s, %d failed", calls, l.took().Round(time.Second), len(failures))
	if len(failures) > 0 {
		t.Errorf("first failure: %v", failures[0])
	}
	injected(t)
	if now := generations(t); now != written {
		t.Errorf("the webhook configurations were changed: generations %s, then %s", written, now)
	}
	nothingWritten(t, recorded(t)[len(before):])
	toldOfAnEdit(t, leading(t, both))
	refused(t, "[DPR301]", strings.ReplaceAll(in(ns, service), "enabled", "enable"))
}

// startCertManager runs cert-manager's controllers and injector until the test ends.
func startCertManager(t *testing.T) {
	t.Helper()
	programs, err := parts.BuildExtra(t.Context(), root, []parts.Extra{{
		Module: "hack/certmanager", Files: []string{"main.go"}, Package: ".", Name: "certmanager",
	}}, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	if err := shared.InstallCRDs(t.Context(), controlplane.CertManager); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := shared.RemoveCRDs(context.Background(), controlplane.CertManager); err != nil {
			t.Error(err)
		}
	})
	program, err := shared.StartProgram("certmanager", programs["certmanager"], shared.Kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(program.Running(), program.Stop(10*time.Second)); err != nil {
			t.Error(err)
		}
	})
}

// withoutCertificates removes what cert-manager leaves behind: a Secret outlives its Certificate.
func withoutCertificates(t *testing.T) {
	t.Helper()
	t.Cleanup(func() {
		if _, err := shared.Kubectl(context.Background(), "delete", "secret", "-n", system, "--ignore-not-found", "daprise-ca", servingCertificate); err != nil {
			t.Error(err)
		}
	})
}

// certified is nil once daprise's Certificate is ready in a revision.
func certified(t *testing.T, revision int) error {
	t.Helper()
	status := field(t, `.status.conditions[?(@.type=="Ready")].status`, "certificate", "-n", system, servingCertificate)
	have := field(t, ".status.revision", "certificate", "-n", system, servingCertificate)
	issuing := field(t, `.status.conditions[?(@.type=="Issuing")].status`, "certificate", "-n", system, servingCertificate)
	if status != "True" || have != fmt.Sprint(revision) || issuing == "True" {
		return fmt.Errorf("ready is %q in revision %q, issuing %q; want revision %d", status, have, issuing, revision)
	}
	return nil
}

// askForRenewal is what `cmctl renew` does.
func askForRenewal(t *testing.T) {
	t.Helper()
	kubectl(t, "patch", "certificate", "-n", system, servingCertificate, "--subresource=status", "--type=json", "-p",
		`[{"op":"add","path":"/status/conditions/-","value":{"type":"Issuing","status":"True","reason":"ManuallyTriggered","message":"a test asks","lastTransitionTime":"2026-01-01T00:00:00Z"}}]`)
}

// renewed is nil once a revision is issued and all replicas serve it.
func renewed(t *testing.T, replicas []*replica, revision int) error {
	t.Helper()
	if err := certified(t, revision); err != nil {
		return err
	}
	issued := certificatesOf(t, "tls.crt")
	for _, r := range replicas {
		if shown := r.shown(t); len(issued) == 0 || !shown.Equal(issued[0]) {
			return fmt.Errorf("%s does not serve revision %d yet", r.name, revision)
		}
	}
	return nil
}

// certificatesOf are those of a key of the Secret that cert-manager writes.
func certificatesOf(t *testing.T, key string) []*x509.Certificate {
	t.Helper()
	data, err := base64.StdEncoding.DecodeString(field(t, ".data."+strings.ReplaceAll(key, ".", `\.`), "secret", "-n", system, servingCertificate))
	if err != nil {
		t.Fatal(err)
	}
	return hooks.Certificates(data)
}

// injected requires that the API server trusts cert-manager's CA for every webhook, and no other.
func injected(t *testing.T) {
	t.Helper()
	authorities := certificatesOf(t, "ca.crt")
	if len(authorities) != 1 {
		t.Fatalf("%d CAs", len(authorities))
	}
	for _, configuration := range []string{mutatingHooks, validatingHooks} {
		bundles := strings.Fields(field(t, ".webhooks[*].clientConfig.caBundle", configuration))
		if names := strings.Fields(field(t, ".webhooks[*].name", configuration)); len(bundles) != len(names) {
			t.Fatalf("%s: %d of %d webhooks have a caBundle", configuration, len(bundles), len(names))
		}
		for _, encoded := range bundles {
			bundle, err := base64.StdEncoding.DecodeString(encoded)
			if err != nil {
				t.Fatal(err)
			}
			if all := hooks.Certificates(bundle); len(all) != 1 || !all[0].Equal(authorities[0]) {
				t.Errorf("%s trusts %d CAs, and not cert-manager's alone", configuration, len(all))
			}
		}
	}
}

// generations count what was changed in the webhook configurations, whoever did it.
func generations(t *testing.T) string {
	t.Helper()
	return field(t, ".metadata.generation", mutatingHooks) + " and " + field(t, ".metadata.generation", validatingHooks)
}

// toldOfAnEdit edits a hook: daprise may not mend it here, and says so.
func toldOfAnEdit(t *testing.T, leader *replica) {
	t.Helper()
	kubectl(t, "patch", validatingHooks, "--type=json", "-p", `[{"op":"replace","path":"/webhooks/0/failurePolicy","value":"Ignore"}]`)
	const want = `"msg":"webhook configuration was edited: apply daprise's manifests again"`
	cluster.Eventually(t, func() error {
		log, err := os.ReadFile(shared.LogPath(leader.name))
		if err == nil && !strings.Contains(string(log), want) {
			err = fmt.Errorf("the log does not say %s", want)
		}
		return err
	})
}

// recorded is what the API server has recorded so far.
func recorded(t *testing.T) []controlplane.AuditEvent {
	t.Helper()
	events, err := shared.AuditEvents()
	if err != nil {
		t.Fatal(err)
	}
	return events
}

// nothingWritten requires that daprise itself has written no webhook configuration: with cert-manager it may not even try.
func nothingWritten(t *testing.T, events []controlplane.AuditEvent) {
	t.Helper()
	writes := map[string]int{}
	for _, event := range events {
		if !strings.HasSuffix(event.ObjectRef.Resource, "webhookconfigurations") || event.ObjectRef.Name != account {
			continue
		}
		switch event.Verb {
		case "create", "update", "patch":
			who, _, _ := strings.Cut(event.UserAgent, "/")
			writes[who]++
			if event.User.Username == "system:serviceaccount:"+system+":"+account {
				t.Errorf("daprise itself: %s %s, answered %d", event.Verb, event.ObjectRef.Resource, event.ResponseStatus.Code)
			}
		}
	}
	t.Logf("writes of webhook configurations: %v", writes)
}

// mount keeps a folder as kubelet keeps the volume of a Secret: a version of all files is replaced at once, by a link, and stays while there is no Secret.
func mount(t *testing.T, secret string) string {
	t.Helper()
	v := &volume{dir: t.TempDir(), secret: client.ObjectKey{Namespace: system, Name: secret}}
	if err := v.sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	for key := range v.data {
		if err := os.Symlink(filepath.Join("..data", key), filepath.Join(v.dir, key)); err != nil {
			t.Fatal(err)
		}
	}
	stopped := make(chan struct{})
	var following sync.WaitGroup
	following.Go(func() {
		for {
			select {
			case <-stopped:
				return
			case <-time.After(500 * time.Millisecond):
				// What cannot be read now is read the next time.
				_ = v.sync(context.Background())
			}
		}
	})
	t.Cleanup(func() {
		close(stopped)
		following.Wait()
	})
	return v.dir
}

type volume struct {
	dir     string
	secret  client.ObjectKey
	data    map[string][]byte
	version int
}

// sync writes the Secret as it is now, unless it is what is there.
func (v *volume) sync(ctx context.Context) error {
	var secret corev1.Secret
	if err := shared.Client.Get(ctx, v.secret, &secret); err != nil {
		return err
	}
	same := len(secret.Data) == len(v.data)
	for key, value := range secret.Data {
		same = same && bytes.Equal(v.data[key], value)
	}
	if same {
		return nil
	}
	v.version++
	name := fmt.Sprintf("..%d", v.version)
	if err := os.Mkdir(filepath.Join(v.dir, name), 0o700); err != nil {
		return err
	}
	for key, value := range secret.Data {
		if err := os.WriteFile(filepath.Join(v.dir, name, key), value, 0o600); err != nil {
			return err
		}
	}
	next := filepath.Join(v.dir, "..data_tmp")
	if err := os.Symlink(name, next); err != nil {
		return err
	}
	v.data = secret.Data
	return os.Rename(next, filepath.Join(v.dir, "..data"))
}
