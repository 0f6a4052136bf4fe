// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/webhook/hooks"
)

const (
	// overlap is how long a CA stays in the caBundle after its successor was made: other replicas still serve certificates of it.
	overlap = time.Hour
	// keptCAs is how many old ones stay at most.
	keptCAs = 2
	caKey   = "ca.crt"
)

// bundler writes our CA into the webhook configurations, whenever either changes: also when somebody wiped or replaced it. It runs on
// every replica and not on the leader alone: what it writes depends on the Secret and nothing else, so that replicas agree, and a
// cluster's first admissions must not wait for an election.
type bundler struct {
	client    client.Client
	namespace string
	now       func() time.Time
}

func (b *bundler) setup(mgr ctrl.Manager) error {
	err := aboutConfigurations(mgr, "cabundle").
		Watches(&corev1.Secret{}, always()).
		WithOptions(controller.Options{NeedLeaderElection: new(false), RateLimiter: soon()}).
		Complete(b)
	if err != nil {
		return fmt.Errorf("set up the caBundle: %w", err)
	}
	return nil
}

// Reconcile implements reconcile.Reconciler.
func (b *bundler) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	var secret corev1.Secret
	err := b.client.Get(ctx, client.ObjectKey{Namespace: b.namespace, Name: caSecret}, &secret)
	if apierrors.IsNotFound(err) {
		return reconcile.Result{}, nil
	}
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("read the CA: %w", err)
	}
	var mutating admissionregistrationv1.MutatingWebhookConfiguration
	var validating admissionregistrationv1.ValidatingWebhookConfiguration
	reader := configurations{reader: b.client, now: b.now}
	if err := reader.get(ctx, &mutating); err != nil {
		return reconcile.Result{}, err
	}
	if err := reader.get(ctx, &validating); err != nil {
		return reconcile.Result{}, err
	}
	if err := b.write(ctx, &mutating, mutatingClients(&mutating), secret.Data[caKey]); err != nil {
		return reconcile.Result{}, err
	}
	if err := b.write(ctx, &validating, validatingClients(&validating), secret.Data[caKey]); err != nil {
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: overlap}, nil
}

// write patches clientConfig.caBundle where it is not as it should be, and nothing else. The resourceVersion in the patch makes it fail
// if somebody changed the configuration meanwhile: merging by name could otherwise add a webhook that was just removed.
func (b *bundler) write(ctx context.Context, object client.Object, live []hookClient, ca []byte) error {
	patch := bundlePatch(object.GetResourceVersion(), live, ca, b.now())
	if patch == nil {
		return nil
	}
	data, err := json.Marshal(patch)
	if err != nil {
		return fmt.Errorf("encode patch: %w", err)
	}
	target, ok := object.DeepCopyObject().(client.Object)
	if !ok {
		return fmt.Errorf("%T is no object", object)
	}
	err = b.client.Patch(ctx, target, client.RawPatch(types.StrategicMergePatchType, data), client.FieldOwner(mesh.FieldManager))
	if err != nil && !apierrors.IsConflict(err) {
		return fmt.Errorf("write the caBundle: %w", err)
	}
	// After a conflict the cache is about to show what was changed, and that event comes back here.
	return nil
}

// configurationPatch is a strategic merge patch of a webhook configuration.
type configurationPatch struct {
	Metadata struct {
		ResourceVersion string `json:"resourceVersion"`
	} `json:"metadata"`
	Webhooks []webhookPatch `json:"webhooks"`
}

type webhookPatch struct {
	Name         string `json:"name"`
	ClientConfig struct {
		CABundle []byte `json:"caBundle"`
	} `json:"clientConfig"`
}

// bundlePatch is nil if every webhook has the right caBundle. Its webhooks are in the order of the live ones: the API server sorts a list
// that is merged by the patch, so that another order would become that of the configuration.
func bundlePatch(version string, live []hookClient, ca []byte, now time.Time) *configurationPatch {
	patch := &configurationPatch{}
	patch.Metadata.ResourceVersion = version
	for _, hook := range live {
		wanted := bundleWith(ca, hook.client.CABundle, now)
		if wanted == nil || bytes.Equal(wanted, hook.client.CABundle) {
			continue
		}
		one := webhookPatch{Name: hook.name}
		one.ClientConfig.CABundle = wanted
		patch.Webhooks = append(patch.Webhooks, one)
	}
	if len(patch.Webhooks) == 0 {
		return nil
	}
	return patch
}

// bundleWith is the CA and, for as long as overlap after it was made, its predecessors out of the live bundle: those of our name that
// are still valid. Without a CA that can be read it is nil.
func bundleWith(ca, live []byte, now time.Time) []byte {
	current := hooks.Certificates(ca)
	if len(current) == 0 {
		return nil
	}
	bundle := encode(current[0])
	if now.Sub(current[0].NotBefore) > overlap {
		return bundle
	}
	kept := 0
	for _, old := range hooks.Certificates(live) {
		ours := old.IsCA && old.Subject.CommonName == caCommonName && now.Before(old.NotAfter)
		if ours && kept < keptCAs && !old.Equal(current[0]) {
			bundle = append(bundle, encode(old)...)
			kept++
		}
	}
	return bundle
}

func encode(certificate *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})
}
