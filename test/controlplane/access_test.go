// SPDX-License-Identifier: Apache-2.0

package controlplane_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/daprise/daprise/test/controlplane"
)

func typesUID(s string) types.UID { return types.UID(strings.TrimSpace(s)) }

// kubectlError returns err as the *KubectlError that it has to be.
func kubectlError(t *testing.T, err error) *controlplane.KubectlError {
	t.Helper()
	failed := &controlplane.KubectlError{}
	if !errors.As(err, &failed) {
		t.Fatalf("error is %v, want a *KubectlError", err)
	}
	return failed
}

func TestServiceAccountHasItsOwnRights(t *testing.T) {
	ns := namespace(t, "accounts")
	ctx := t.Context()
	err := shared.Apply(ctx, []byte(`apiVersion: v1
kind: ServiceAccount
metadata: {name: reader, namespace: `+ns+`}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: `+ns+`}
rules: [{apiGroups: [""], resources: [configmaps], verbs: [list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader, namespace: `+ns+`}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: ServiceAccount, name: reader, namespace: `+ns+`}]
`))
	if err != nil {
		t.Fatal(err)
	}
	config, err := shared.ServiceAccountConfig(ctx, ns, "reader")
	if err != nil {
		t.Fatal(err)
	}
	reader, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	// RBAC is read from a watch: the binding takes effect a moment later.
	eventually(t, "the granted list of ConfigMaps", func(ctx context.Context) (bool, error) {
		_, err := reader.CoreV1().ConfigMaps(ns).List(ctx, metav1.ListOptions{})
		return err == nil, err
	})
	_, err = reader.CoreV1().Secrets(ns).List(ctx, metav1.ListOptions{})
	if !apierrors.IsForbidden(err) {
		t.Errorf("list of Secrets: %v, want Forbidden", err)
	}
	_, err = reader.CoreV1().ConfigMaps("default").List(ctx, metav1.ListOptions{})
	if !apierrors.IsForbidden(err) {
		t.Errorf("list of ConfigMaps elsewhere: %v, want Forbidden", err)
	}
	checkIdentity(t, config.BearerToken, "system:serviceaccount:accounts:reader")
}

// checkIdentity asks the API server whom it takes the holder of the token for.
func checkIdentity(t *testing.T, token, want string) {
	t.Helper()
	config := shared.AdminConfig()
	config.BearerToken, config.CertData, config.KeyData = token, nil, nil
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := controlplane.WriteKubeconfig(path, config); err != nil {
		t.Fatal(err)
	}
	who, err := shared.Kubectl(t.Context(), "--kubeconfig="+path, "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}")
	if err != nil {
		t.Fatal(err)
	}
	if who.Stdout != want {
		t.Errorf("user is %q, want %q", who.Stdout, want)
	}
}

func TestUserIsLimited(t *testing.T) {
	config, err := shared.UserConfig("jane", "developers")
	if err != nil {
		t.Fatal(err)
	}
	jane, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := jane.CoreV1().Pods("default").List(t.Context(), metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("list of pods: %v, want Forbidden", err)
	}
}

func TestKubectlErrorIsWhatAUserSees(t *testing.T) {
	_, err := shared.Kubectl(t.Context(), "get", "service", "absent")
	failed := kubectlError(t, err)
	const want = `Error from server (NotFound): services "absent" not found` + "\n"
	if failed.Stderr != want || failed.Code != 1 {
		t.Errorf("exit code %d, standard error %q, want 1, %q", failed.Code, failed.Stderr, want)
	}
}

func TestAuditShowsWrites(t *testing.T) {
	ns := namespace(t, "audited")
	configMap := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "watched"}}
	if _, err := client(t, shared).CoreV1().ConfigMaps(ns).Create(t.Context(), configMap, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the audit event", func(context.Context) (bool, error) {
		events, err := shared.AuditEvents()
		for _, e := range events {
			o := e.ObjectRef
			if e.Verb == "create" && o.Resource == "configmaps" && o.Namespace == ns && o.Name == "watched" {
				return e.ResponseStatus.Code == 201 && e.User.Username == "daprise-test-admin", err
			}
		}
		return false, err
	})
}
