// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/test/cluster"
)

// rootUntil is a root certificate that expires at a moment, PEM.
func rootUntil(t testing.TB, expires time.Time) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: expires.Add(-24 * time.Hour), NotAfter: expires, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// trustBundle changes Dapr's public trust bundle until the test ends.
func trustBundle(t testing.TB) (get func() string, set func(anchors string)) {
	t.Helper()
	bundle := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "dapr-system", Name: "dapr-trust-bundle"}}
	if err := shared.Client.Get(t.Context(), client.ObjectKeyFromObject(bundle), bundle); err != nil {
		t.Fatal(err)
	}
	original := bundle.Data["ca.crt"]
	write := func(ctx context.Context, anchors string) {
		t.Helper()
		bundle.Data = map[string]string{"ca.crt": anchors}
		if err := shared.Client.Update(ctx, bundle); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { write(context.Background(), original) })
	return func() string { return original }, func(anchors string) { write(t.Context(), anchors) }
}

// TestANewRootRollsCompanions: each gets the new trust anchors, and is served by a ready pod at every moment.
func TestANewRootRollsCompanions(t *testing.T) {
	ns := namespace(t, map[string]string{mesh.LabelCoverage: "warn"})
	create(t, enrolled(ns, "one"), enrolled(ns, "two"))
	hasReason(t, ns, "one", "Companion", "Ready")
	hasReason(t, ns, "two", "Companion", "Ready")
	original, set := trustBundle(t)
	both := original() + rootUntil(t, time.Now().Add(20*24*time.Hour))
	gapless(t, ns, []string{"one"}, func() {
		gapless(t, ns, []string{"two"}, func() {
			set(both)
			for _, id := range []string{"one", "two"} {
				cluster.Eventually(t, func() error { return trustedBy(t, ns, id, both) })
				hasReason(t, ns, id, "Companion", "Ready")
			}
		})
	})
	// The new root is one that expires soon: that is said as long as it is there.
	says(t, ns, "one", "Companion", "a root certificate of Dapr's trust bundle expires on ")
}

// trustedBy fails unless the template and every pod of a companion have these trust anchors.
func trustedBy(t *testing.T, ns, id, anchors string) error {
	t.Helper()
	has := func(spec corev1.PodSpec) bool {
		for _, e := range spec.Containers[0].Env {
			if e.Name == "DAPR_TRUST_ANCHORS" {
				return e.Value == anchors
			}
		}
		return false
	}
	if !has(workload(t, ns, id).Spec.Template.Spec) {
		return errors.New("the template has other trust anchors")
	}
	pods := &corev1.PodList{}
	if err := shared.Client.List(t.Context(), pods, client.InNamespace(ns), client.MatchingLabels{mesh.LabelCompanion: id}); err != nil {
		return err
	}
	for i := range pods.Items {
		if !has(pods.Items[i].Spec) {
			return fmt.Errorf("pod %s has other trust anchors", pods.Items[i].Name)
		}
	}
	return nil
}

// TestABundleWithoutARoot: companions that run go on as they are, none is started, and a bundle that is mended starts them.
func TestABundleWithoutARoot(t *testing.T) {
	ns := namespace(t, map[string]string{mesh.LabelCoverage: "warn"})
	create(t, enrolled(ns, "running"))
	hasReason(t, ns, "running", "Companion", "Ready")
	before := workload(t, ns, "running")
	original, set := trustBundle(t)
	for i, broken := range []struct{ anchors, says string }{
		{rootUntil(t, time.Now().Add(-time.Hour)), "no root certificate of ConfigMap dapr-trust-bundle is valid any more"},
		{"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", "cannot be read"},
		{"", "was not found"},
	} {
		set(broken.anchors)
		id := fmt.Sprintf("new-%d", i)
		create(t, enrolled(ns, id))
		hasReason(t, ns, id, "Companion", "DaprMissing")
		says(t, ns, id, "Companion", broken.says)
		if found, err := exists(t.Context(), ns, mesh.CompanionName(id), deployment(ns, "")); found || err != nil {
			t.Errorf("%s: a companion is started: %v, error %v", broken.says, found, err)
		}
	}
	hasReason(t, ns, "running", "Companion", "Ready")
	if now := workload(t, ns, "running"); now.Generation != before.Generation {
		t.Error("a companion was rolled to a broken trust bundle")
	}
	set(original())
	hasReason(t, ns, "new-0", "Companion", "Ready")
}
