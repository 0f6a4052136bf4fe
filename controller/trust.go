// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/daprise/daprise/mesh"
)

// expiresSoon is how long before a root certificate expires people are told: time to replace it without haste.
const expiresSoon = 30 * 24 * time.Hour

// trust is what is known of Dapr's public trust bundle.
type trust struct {
	// anchors is the bundle as companions get it, PEM, or empty where none could start with it.
	anchors string
	// problem says why there are no anchors, or is empty.
	problem string
	// expires is when the first root certificate expires of those that have not; zero without anchors.
	expires time.Time
	// soon says that this is no longer far away.
	soon bool
}

// trustOf reads the trust bundle, nil where there is none. What daprd could not start with, or would trust nobody with, counts as
// missing: companions that run go on, and none is started or rolled into a crash loop.
func trustOf(bundle *corev1.ConfigMap, now time.Time) trust {
	name := "ConfigMap " + trustBundle
	if bundle == nil || bundle.Data[trustBundleKey] == "" {
		return trust{problem: fmt.Sprintf("%s with key %s was not found in Dapr's namespace", name, trustBundleKey)}
	}
	roots, err := certificates([]byte(bundle.Data[trustBundleKey]))
	switch {
	case err != nil:
		return trust{problem: fmt.Sprintf("key %s of %s cannot be read: %v", trustBundleKey, name, err)}
	case len(roots) == 0:
		return trust{problem: fmt.Sprintf("key %s of %s holds no certificate", trustBundleKey, name)}
	}
	t := trust{anchors: bundle.Data[trustBundleKey]}
	var last time.Time
	for _, root := range roots {
		if root.NotAfter.After(last) {
			last = root.NotAfter
		}
		if root.NotAfter.After(now) && (t.expires.IsZero() || root.NotAfter.Before(t.expires)) {
			t.expires = root.NotAfter
		}
	}
	if t.expires.IsZero() {
		return trust{problem: fmt.Sprintf("no root certificate of %s is valid any more: the last expired on %s", name, day(last))}
	}
	t.soon = t.expires.Sub(now) < expiresSoon
	return t
}

// certificates of PEM; other blocks are passed over, as daprd does (dapr/kit crypto/pem).
func certificates(data []byte) ([]*x509.Certificate, error) {
	var all []*x509.Certificate
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return all, nil
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", len(all)+1, err)
		}
		all = append(all, certificate)
	}
}

// day is a moment in conditions: one that stays the same while it comes nearer.
func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// caveat (DPR404) tells of a bundle that expires soon. About what it is said is the caller's to add.
func (t trust) caveat() []mesh.Finding {
	if !t.soon {
		return nil
	}
	return []mesh.Finding{{
		Code: mesh.CodeTrustBundle, Severity: mesh.Warn,
		Message: "a root certificate of Dapr's trust bundle expires on " + day(t.expires),
		Fix:     "Replace it, as docs/operations.md says, or take it out of the bundle if nothing rests on it any more.",
	}}
}
