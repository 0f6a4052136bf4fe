// SPDX-License-Identifier: Apache-2.0

package check

import (
	"context"
	"crypto/x509"
	"time"

	"github.com/daprise/daprise/webhook/hooks"
)

func certificate(ctx context.Context, c *Cluster) ([]Line, error) {
	stored, err := c.stored(ctx)
	return judgeCertificate(stored, c.now), err
}

// judgeCertificate judges the CA by which the API server knows daprise. What is served is proved by enforcing: the API server calls no hook
// whose certificate that CA has not signed.
func judgeCertificate(stored []configuration, now time.Time) []Line {
	var bundled []*x509.Certificate
	for _, c := range stored {
		for _, h := range c.hooks {
			bundle := hooks.Certificates(h.caBundle)
			if len(bundle) == 0 {
				return []Line{hinted(Fail, "hook "+h.name+" has no caBundle: the API server cannot call it",
					"See that daprise-webhook, or cert-manager's injector, runs and may write it (docs/operations.md, \"Certificates\").")}
			}
			bundled = append(bundled, bundle...)
		}
	}
	if len(bundled) == 0 {
		return []Line{skip("daprise is not installed")}
	}
	return []Line{judgeExpiry(expiring{
		what: "the CA in the caBundle", until: last(bundled), now: now,
		hint: "daprise renews its own at two thirds of a year: see its log, or delete Secret daprise-webhook-ca for a new one (" + hooks.Name + " writes it).",
	})}
}
