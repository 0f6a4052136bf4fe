// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"context"
	"fmt"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// tokenSeconds is how long the tokens of ServiceAccountConfig live.
const tokenSeconds = int64(24 * 60 * 60)

// AdminConfig returns a client configuration of a member of system:masters. The
// caller may change it.
func (cp *ControlPlane) AdminConfig() *rest.Config { return rest.CopyConfig(cp.admin) }

// Kubeconfig returns the path of the administrator's kubeconfig.
func (cp *ControlPlane) Kubeconfig() string { return cp.file(fileKubeconfig) }

// UserConfig returns a client configuration of that user in those groups, by
// a client certificate. RBAC gives the user nothing by itself.
func (cp *ControlPlane) UserConfig(user string, groups ...string) (*rest.Config, error) {
	credentials, err := cp.ca.client(user, groups)
	if err != nil {
		return nil, err
	}
	config := cp.anonymous()
	config.CertData, config.KeyData = credentials.cert, credentials.key
	return config, nil
}

// ServiceAccountConfig returns a client configuration with a token that the
// API server issued for the ServiceAccount (TokenRequest, 24 hours), so that
// its holder is system:serviceaccount:<namespace>:<name> with that account's own RBAC and
// nothing else. The ServiceAccount must exist.
func (cp *ControlPlane) ServiceAccountConfig(ctx context.Context, namespace, name string) (*rest.Config, error) {
	seconds := tokenSeconds
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds}}
	issued, err := cp.kube.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, name, request, metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("token for ServiceAccount %s/%s: %w", namespace, name, err)
	}
	config := cp.anonymous()
	config.BearerToken = issued.Status.Token
	return config, nil
}

// anonymous knows the server and nobody's credentials. Client-side throttling
// is off: the API server's own fairness is what real clients meet.
func (cp *ControlPlane) anonymous() *rest.Config {
	return &rest.Config{
		Host:            loopback("https", cp.ports.api),
		TLSClientConfig: rest.TLSClientConfig{CAData: cp.ca.pem},
		QPS:             -1,
	}
}

// WriteKubeconfig writes a kubeconfig for programs that take a file: the
// server, its CA and the credentials of config, namespace default.
func WriteKubeconfig(path string, config *rest.Config) error {
	const name = "daprise-test"
	written := clientcmdapi.NewConfig()
	written.Clusters[name] = &clientcmdapi.Cluster{Server: config.Host, CertificateAuthorityData: config.CAData}
	written.AuthInfos[name] = &clientcmdapi.AuthInfo{
		ClientCertificateData: config.CertData,
		ClientKeyData:         config.KeyData,
		Token:                 config.BearerToken,
	}
	written.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name, Namespace: metav1.NamespaceDefault}
	written.CurrentContext = name
	if err := clientcmd.WriteToFile(*written, path); err != nil {
		return fmt.Errorf("write kubeconfig: %w", err)
	}
	return nil
}

// writeCredentials makes the kubeconfigs of the control plane's own programs
// and of the administrator.
func (cp *ControlPlane) writeCredentials() error {
	for _, c := range []struct {
		file, user string
		groups     []string
	}{
		{fileKubeconfig, "daprise-test-admin", []string{"system:masters"}},
		{controllerManager + ".kubeconfig", "system:kube-controller-manager", nil},
		{scheduler + ".kubeconfig", "system:kube-scheduler", nil},
		// It is every node and every kubelet at once.
		{kwok + ".kubeconfig", "kwok", []string{"system:masters"}},
	} {
		config, err := cp.UserConfig(c.user, c.groups...)
		if err != nil {
			return err
		}
		if err := WriteKubeconfig(cp.file(c.file), config); err != nil {
			return err
		}
		if c.file == fileKubeconfig {
			cp.admin = config
		}
	}
	return nil
}
