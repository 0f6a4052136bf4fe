// SPDX-License-Identifier: Apache-2.0

package manifests

import (
	"time"

	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/daprise/daprise/mesh"
)

// Names of cert-manager's objects.
const (
	issuerSelf      = "daprise-selfsigned"
	issuerCA        = "daprise-ca"
	certificateCA   = "daprise-ca"
	certificateLeaf = "daprise-webhook-serving"
	// InjectFrom is the certificate whose CA cert-manager injects into the webhook configurations.
	InjectFrom = mesh.SystemNamespace + "/" + certificateLeaf
)

const (
	caDuration   = 5 * 365 * 24 * time.Hour
	caRenewal    = 365 * 24 * time.Hour
	leafDuration = 90 * 24 * time.Hour
	leafRenewal  = 30 * 24 * time.Hour
)

// certificates are a CA of our own and the serving certificate that it signs, so that the caBundle stays the same when the latter is
// renewed.
func certificates() []runtime.Object {
	return []runtime.Object{
		issuer(issuerSelf, cmv1.IssuerConfig{SelfSigned: &cmv1.SelfSignedIssuer{}}),
		certificate(certificateCA, cmv1.CertificateSpec{
			IsCA:        true,
			CommonName:  "daprise-ca",
			Duration:    &metav1.Duration{Duration: caDuration},
			RenewBefore: &metav1.Duration{Duration: caRenewal},
			PrivateKey:  &cmv1.CertificatePrivateKey{Algorithm: cmv1.ECDSAKeyAlgorithm, Size: 384},
			IssuerRef:   issuerRef(issuerSelf),
		}),
		issuer(issuerCA, cmv1.IssuerConfig{CA: &cmv1.CAIssuer{SecretName: certificateCA}}),
		certificate(certificateLeaf, cmv1.CertificateSpec{
			DNSNames:    []string{mesh.WebhookService + "." + mesh.SystemNamespace + ".svc"},
			Usages:      []cmv1.KeyUsage{cmv1.UsageServerAuth, cmv1.UsageDigitalSignature},
			Duration:    &metav1.Duration{Duration: leafDuration},
			RenewBefore: &metav1.Duration{Duration: leafRenewal},
			PrivateKey:  &cmv1.CertificatePrivateKey{Algorithm: cmv1.ECDSAKeyAlgorithm, Size: 256, RotationPolicy: cmv1.RotationPolicyAlways},
			IssuerRef:   issuerRef(issuerCA),
		}),
	}
}

func issuer(name string, config cmv1.IssuerConfig) *cmv1.Issuer {
	return &cmv1.Issuer{
		TypeMeta:   metav1.TypeMeta{APIVersion: cmv1.SchemeGroupVersion.String(), Kind: cmv1.IssuerKind},
		ObjectMeta: meta(name),
		Spec:       cmv1.IssuerSpec{IssuerConfig: config},
	}
}

// certificate is kept in a Secret of its own name.
func certificate(name string, spec cmv1.CertificateSpec) *cmv1.Certificate {
	spec.SecretName = name
	return &cmv1.Certificate{
		TypeMeta:   metav1.TypeMeta{APIVersion: cmv1.SchemeGroupVersion.String(), Kind: cmv1.CertificateKind},
		ObjectMeta: meta(name),
		Spec:       spec,
	}
}

func issuerRef(name string) cmmeta.IssuerReference {
	return cmmeta.IssuerReference{Name: name, Kind: cmv1.IssuerKind, Group: "cert-manager.io"}
}
