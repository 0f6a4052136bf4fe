// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/daprise/daprise/webhook/hooks"
)

// configurations reads the two live webhook configurations from a reader, the informer cache.
type configurations struct {
	reader client.Reader
	now    func() time.Time
}

// hookClient is how the API server calls one webhook.
type hookClient struct {
	name   string
	client admissionregistrationv1.WebhookClientConfig
}

// clients are those of all webhooks of both configurations. A configuration that does not exist has none: nothing calls us then.
func (c configurations) clients(ctx context.Context) ([]hookClient, error) {
	var mutating admissionregistrationv1.MutatingWebhookConfiguration
	if err := c.get(ctx, &mutating); err != nil {
		return nil, err
	}
	var validating admissionregistrationv1.ValidatingWebhookConfiguration
	if err := c.get(ctx, &validating); err != nil {
		return nil, err
	}
	return append(mutatingClients(&mutating), validatingClients(&validating)...), nil
}

func mutatingClients(configuration *admissionregistrationv1.MutatingWebhookConfiguration) []hookClient {
	var clients []hookClient
	for _, w := range configuration.Webhooks {
		clients = append(clients, hookClient{w.Name, w.ClientConfig})
	}
	return clients
}

func validatingClients(configuration *admissionregistrationv1.ValidatingWebhookConfiguration) []hookClient {
	var clients []hookClient
	for _, w := range configuration.Webhooks {
		clients = append(clients, hookClient{w.Name, w.ClientConfig})
	}
	return clients
}

func (c configurations) get(ctx context.Context, object client.Object) error {
	err := c.reader.Get(ctx, client.ObjectKey{Name: hooks.Name}, object)
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("read the webhook configuration: %w", err)
	}
	return nil
}

// aboutConfigurations begins a controller that looks at both webhook configurations whenever either changes.
func aboutConfigurations(mgr ctrl.Manager, name string) *ctrl.Builder {
	return ctrl.NewControllerManagedBy(mgr).Named(name).
		Watches(&admissionregistrationv1.MutatingWebhookConfiguration{}, always()).
		Watches(&admissionregistrationv1.ValidatingWebhookConfiguration{}, always())
}

// Retries of what is written into the configurations wait from firstRetry, doubling, to lastRetry: an API server that was down or refused
// for an hour finds its hooks mended seconds after it is back.
const (
	firstRetry = 200 * time.Millisecond
	lastRetry  = 5 * time.Second
)

func soon() workqueue.TypedRateLimiter[reconcile.Request] {
	return workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstRetry, lastRetry)
}

// always is one request whatever has changed.
func always() handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: types.NamespacedName{Name: hooks.Name}}}
	})
}

// errNoBundle says that the API server cannot verify us yet.
var errNoBundle = errors.New("no caBundle")

// trusted is nil if the API server, following each of the live webhook configurations, would accept the certificate.
func (c configurations) trusted(certificate *x509.Certificate) error {
	clients, err := c.clients(context.Background())
	if err != nil {
		return err
	}
	for _, one := range clients {
		if err := verify(certificate, one, c.now()); err != nil {
			return fmt.Errorf("webhook %s: %w", one.name, err)
		}
	}
	return nil
}

func verify(certificate *x509.Certificate, hook hookClient, now time.Time) error {
	name, err := calledName(hook.client)
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(hook.client.CABundle) {
		return errNoBundle
	}
	_, err = certificate.Verify(x509.VerifyOptions{
		DNSName: name, Roots: pool, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	if err != nil {
		return fmt.Errorf("verify the serving certificate: %w", err)
	}
	return nil
}

// calledName is the name that the API server verifies: the Service's, or the host of the URL.
func calledName(config admissionregistrationv1.WebhookClientConfig) (string, error) {
	if config.Service != nil {
		return config.Service.Name + "." + config.Service.Namespace + ".svc", nil
	}
	if config.URL == nil {
		return "", errors.New("neither service nor url")
	}
	parsed, err := url.Parse(*config.URL)
	if err != nil {
		return "", fmt.Errorf("parse url: %w", err)
	}
	return parsed.Hostname(), nil
}
