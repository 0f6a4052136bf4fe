// SPDX-License-Identifier: Apache-2.0

package check

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// injectFrom names the Certificate whose CA cert-manager's injector writes into an annotated configuration.
const injectFrom = "cert-manager.io/inject-ca-from"

// certFacts is what was read of cert-manager.
type certFacts struct {
	// used names the Certificate that the webhook configurations are annotated with, or is empty.
	used string
	// missing are kinds that are not served.
	missing []string
	// certificate is the Certificate, or nil where it does not exist.
	certificate *unstructured.Unstructured
}

func certManager(ctx context.Context, c *Cluster) ([]Line, error) {
	stored, err := c.stored(ctx)
	if err != nil {
		return nil, err
	}
	var f certFacts
	for _, configuration := range stored {
		if from := configuration.annotations[injectFrom]; from != "" {
			f.used = from
		}
	}
	if f.used == "" {
		return judgeCertManager(f, c.now), nil
	}
	version := schema.GroupVersion{Group: "cert-manager.io", Version: "v1"}
	if f.missing, err = c.missing(version, "Certificate"); err != nil || len(f.missing) > 0 {
		return judgeCertManager(f, c.now), err
	}
	namespace, name, _ := strings.Cut(f.used, "/")
	certificate := &unstructured.Unstructured{}
	certificate.SetGroupVersionKind(version.WithKind("Certificate"))
	found, err := c.get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, certificate)
	if found {
		f.certificate = certificate
	}
	return judgeCertManager(f, c.now), err
}

func judgeCertManager(f certFacts, now time.Time) []Line {
	switch {
	case f.used == "":
		return []Line{skip("not used: daprise signs its certificate itself")}
	case len(f.missing) > 0:
		return []Line{hinted(Fail, "the webhook configurations want the CA of Certificate "+f.used+", and the API server does not serve that kind", "Install cert-manager, or daprise without it: daprise install.")}
	case f.certificate == nil:
		return []Line{hinted(Fail, "Certificate "+f.used+" does not exist", "Apply it: daprise install --certificates cert-manager.")}
	}
	// Fields of another shape are as good as none.
	conditions, _, _ := unstructured.NestedSlice(f.certificate.Object, "status", "conditions")
	ready := slices.ContainsFunc(conditions, func(c any) bool {
		condition, _ := c.(map[string]any)
		return condition["type"] == "Ready" && condition["status"] == "True"
	})
	if !ready {
		return []Line{hinted(Fail, "Certificate "+f.used+" is not ready", "kubectl describe certificate -n "+strings.Replace(f.used, "/", " ", 1))}
	}
	written, _, _ := unstructured.NestedString(f.certificate.Object, "status", "notAfter")
	until, err := time.Parse(time.RFC3339, written)
	if err != nil {
		return []Line{ok("Certificate %s is ready", f.used)}
	}
	if until.Sub(now) <= 0 {
		return []Line{hinted(Fail, fmt.Sprintf("Certificate %s has expired on %s", f.used, until.Format(time.DateOnly)), "See that cert-manager runs.")}
	}
	return []Line{ok("Certificate %s is ready and valid until %s", f.used, until.Format(time.DateOnly))}
}
