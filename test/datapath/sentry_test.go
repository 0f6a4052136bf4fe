// SPDX-License-Identifier: Apache-2.0

//go:build e2e && linux

package datapath

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// sentryAudience is what companions' tokens are for.
const sentryAudience = "spiffe://cluster.local/ns/dapr-system/dapr-sentry"

// wire sends messages as they are: Dapr's own types would bring all of Dapr.
type wire struct{}

func (wire) Name() string { return "proto" }

func (wire) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }

func (wire) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = bytes.Clone(data)
	return nil
}

// signing is a request to sentry (dapr proto sentry/v1, SignCertificateRequest).
type signing struct{ id, namespace, token string }

// identity is what sentry signed.
type identity struct{ cert tls.Certificate }

func (i identity) String() string { return i.cert.Leaf.URIs[0].String() }

// sign asks sentry for an identity, as daprd does.
func sign(ctx context.Context, t *testing.T, s signing) (identity, error) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{PublicKey: public}, private)
	if err != nil {
		t.Fatal(err)
	}
	var message []byte
	for number, value := range map[protowire.Number][]byte{
		1: []byte(s.id), 2: []byte(s.token), 4: []byte(s.namespace),
		5: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: csr}),
	} {
		message = protowire.AppendBytes(protowire.AppendTag(message, number, protowire.BytesType), value)
	}
	address, err := shared.ServiceAddress(ctx, client.ObjectKey{Namespace: "dapr-system", Name: "dapr-sentry"})
	if err != nil {
		t.Fatal(err)
	}
	// Who sentry is, is not what is asked here.
	conn, err := grpc.NewClient(net.JoinHostPort(address, "443"), grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{InsecureSkipVerify: true})))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	var answer []byte
	if err := conn.Invoke(ctx, "/dapr.proto.sentry.v1.CA/SignCertificate", &message, &answer, grpc.ForceCodec(wire{})); err != nil {
		return identity{}, err
	}
	number, kind, n := protowire.ConsumeTag(answer)
	if number != 1 || kind != protowire.BytesType {
		t.Fatalf("an answer that is none: %x", answer)
	}
	chain, _ := protowire.ConsumeBytes(answer[n:])
	cert := tls.Certificate{PrivateKey: private}
	for block, rest := pem.Decode(chain); block != nil; block, rest = pem.Decode(rest) {
		cert.Certificate = append(cert.Certificate, block.Bytes)
	}
	cert.Leaf, err = x509.ParseCertificate(cert.Certificate[0])
	return identity{cert}, err
}

// token asks the API server, as somebody who may, for a token of a ServiceAccount,
// bound to a Pod if there is one.
func token(ctx context.Context, t *testing.T, account, audience string, pod *corev1.Pod) string {
	t.Helper()
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: []string{audience}}}
	key := metav1.ObjectMeta{Namespace: namespace, Name: account}
	if pod != nil {
		key.Namespace = pod.Namespace
		request.Spec.BoundObjectRef = &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: pod.Name, UID: pod.UID}
	}
	if err := shared.Client.SubResource("token").Create(ctx, &corev1.ServiceAccount{ObjectMeta: key}, request); err != nil {
		t.Fatal(err)
	}
	return request.Status.Token
}

// somebody makes a Pod that runs; edit makes it what it is to be. It goes with the test.
func somebody(ctx context.Context, t *testing.T, name string, edit func(*corev1.Pod)) *corev1.Pod {
	t.Helper()
	nobody, grace := true, int64(1)
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: corev1.PodSpec{
			TerminationGracePeriodSeconds: &grace,
			SecurityContext:               &corev1.PodSecurityContext{RunAsNonRoot: &nobody},
			Containers:                    []corev1.Container{{Name: "app", Image: "daprise/echo:test"}},
		},
	}
	edit(pod)
	if err := shared.Client.Create(ctx, pod); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := shared.Client.Delete(context.WithoutCancel(ctx), pod); err != nil {
			t.Error(err)
		}
	})
	eventually(ctx, t, "pod "+name+" runs", func(ctx context.Context) error {
		if err := shared.Client.Get(ctx, client.ObjectKeyFromObject(pod), pod); err != nil {
			return err
		}
		if pod.Status.Phase != corev1.PodRunning || pod.Status.PodIP == "" {
			return fmt.Errorf("phase %q", pod.Status.Phase)
		}
		return nil
	})
	return pod
}

func annotatedAs(app string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) { pod.Annotations = map[string]string{"dapr.io/app-id": app} }
}

// stranger is somebody who asks sentry to be the ingress companion.
type stranger struct {
	name string
	as   func(ctx context.Context, t *testing.T) signing
	want string
}

func ofPod(name string, ask signing, edit func(*corev1.Pod)) func(context.Context, *testing.T) signing {
	return func(ctx context.Context, t *testing.T) signing {
		t.Helper()
		pod := somebody(ctx, t, name, edit)
		ask.token = token(ctx, t, pod.Spec.ServiceAccountName, sentryAudience, pod)
		return ask
	}
}

func ofToken(account, audience string) func(context.Context, *testing.T) signing {
	return func(ctx context.Context, t *testing.T) signing {
		t.Helper()
		return signing{id: "ingress", namespace: namespace, token: token(ctx, t, account, audience, nil)}
	}
}

func strangers() []stranger {
	ingress := signing{id: "ingress", namespace: namespace}
	return []stranger{
		{
			name: "no token", as: func(context.Context, *testing.T) signing { return ingress },
			want: "token review failed: token is required for TokenReview in authentication",
		},
		{
			name: "a token that somebody made up",
			as: func(context.Context, *testing.T) signing {
				return signing{id: "ingress", namespace: namespace, token: "eyJhbGciOiJub25lIn0.eyJzdWIiOiJzeXN0ZW0ifQ."}
			},
			want: "invalid token: invalid bearer token",
		},
		{
			name: "the companion's ServiceAccount, for the API server", as: ofToken(ingressName, "https://kubernetes.default.svc"),
			want: `invalid token: [invalid bearer token, token audiences ["https://kubernetes.default.svc"] is invalid for the target audiences ` +
				`["dapr.io/sentry" "spiffe://cluster.local/ns/dapr-system/dapr-sentry"]]`,
		},
		{
			name: "the companion's ServiceAccount, without a pod", as: ofToken(ingressName, sentryAudience),
			want: "kubernetes.io/pod/name claim is missing from Kubernetes token",
		},
		{
			name: "a pod with the companion's ServiceAccount",
			as:   ofPod("borrower", ingress, func(pod *corev1.Pod) { pod.Spec.ServiceAccountName = ingressName }),
			want: "app-id mismatch. expected: borrower, received: ingress",
		},
		{
			name: "a pod of another app", as: ofPod("other", ingress, annotatedAs("other")),
			want: "app-id mismatch. expected: other, received: ingress",
		},
		{
			name: "a pod of another namespace",
			as: ofPod("ingress", ingress, func(pod *corev1.Pod) {
				annotatedAs("ingress")(pod)
				pod.Namespace = "kube-system"
			}),
			want: "namespace mismatch; received namespace: default",
		},
		{
			name: "a pod that says it is sentry",
			as: ofPod("control", signing{id: "dapr-sentry", namespace: namespace}, func(pod *corev1.Pod) {
				pod.Annotations = map[string]string{"dapr.io/control-plane": "sentry"}
			}),
			want: "control plane service in namespace 'default' is not allowed",
		},
	}
}

// Sentry gives nobody the ingress companion's identity for its ServiceAccount, or
// for a token that is not of its pod.
func TestSentryRefusesStrangers(t *testing.T) {
	theWorld(t)
	for _, test := range strangers() {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			got, err := sign(ctx, t, test.as(ctx, t))
			if err == nil {
				t.Fatalf("sentry signed for %s", got)
			}
			if diff := cmp.Diff(test.want, status.Convert(err).Message()); diff != "" || status.Code(err) != codes.PermissionDenied {
				t.Errorf("%s: -want +got:\n%s", status.Code(err), diff)
			}
		})
	}
}

// What remains: sentry believes a pod's own annotation, so whoever may create pods
// in a namespace can be any app of that namespace (docs/security.md). Policy stops
// such a pod as long as it has not the labels, too, that policies let in:
// dapr.io/app-id anybody can set, daprise.dev/companion nobody but daprise.
func TestWhoeverCreatesPodsIsAnyAppOfTheNamespace(t *testing.T) {
	w := theWorld(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	to := net.JoinHostPort(oneReady(ctx, t, "whoami").Status.PodIP, "50002")
	for _, test := range []struct {
		name    string
		labels  map[string]string
		reaches bool
	}{
		{name: "annotated"},
		{name: "labelled", labels: map[string]string{"dapr.io/app-id": "ingress"}, reaches: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			pod := somebody(ctx, t, "impostor-"+test.name, func(pod *corev1.Pod) {
				annotatedAs("ingress")(pod)
				pod.Labels = test.labels
			})
			is, err := sign(ctx, t, signing{id: "ingress", namespace: namespace, token: token(ctx, t, "default", sentryAudience, pod)})
			if err != nil {
				t.Fatal(err)
			}
			if want := "spiffe://public/ns/default/ingress"; is.String() != want {
				t.Errorf("signed for %s, want %s", is, want)
			}
			if err := w.Policies.Sync(ctx); err != nil {
				t.Fatal(err)
			}
			if err := greeted(ctx, pod, to, is); (err == nil) != test.reaches {
				t.Errorf("the app's companion speaks to it: %v", err)
			}
		})
	}
}

// greeted says whether the companion at address takes an identity and begins to speak.
func greeted(ctx context.Context, from *corev1.Pod, address string, with identity) error {
	ctx, cancel := context.WithTimeout(ctx, dropped)
	defer cancel()
	raw, err := shared.Kubelet.DialFrom(ctx, from, address)
	if err != nil {
		return err
	}
	conn := tls.Client(raw, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}, Certificates: []tls.Certificate{with.cert}})
	defer func() { _ = conn.Close() }()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	_, err = io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
	frame := make([]byte, 9) // the head of its SETTINGS
	_, readErr := io.ReadFull(conn, frame)
	if err := errors.Join(err, readErr); err != nil {
		return err
	}
	if frame[3] != 4 {
		return fmt.Errorf("frame %x instead of settings", frame)
	}
	return nil
}
