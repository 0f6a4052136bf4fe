// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/test/controlplane"
	"github.com/daprise/daprise/test/controlplane/parts"
)

// Install applies deploy/base and starts daprise-webhook as the ServiceAccount of it. It returns when the server is ready.
func (c *Cluster) Install(ctx context.Context) error {
	root, err := parts.Root()
	if err != nil {
		return err
	}
	if c.binary, err = Build(ctx, serverName); err != nil {
		return err
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	c.server = &server{port: port}
	manifests, err := c.manifests(filepath.Join(root, "deploy", "base"))
	if err != nil {
		return err
	}
	if err := c.Apply(ctx, manifests); err != nil {
		return fmt.Errorf("apply deploy/base: %w", err)
	}
	return c.StartServer(ctx)
}

// Uninstall stops the server and deletes what Install applied, as `kubectl delete -k deploy/base` does.
func (c *Cluster) Uninstall(ctx context.Context) error {
	if err := c.StopServer(); err != nil {
		return err
	}
	root, err := parts.Root()
	if err != nil {
		return err
	}
	manifests, err := c.manifests(filepath.Join(root, "deploy", "base"))
	if err != nil {
		return err
	}
	_, err = c.KubectlIn(ctx, manifests, "delete", "--ignore-not-found", "-f", "-")
	return err
}

// manifests renders deploy/base for this machine.
func (c *Cluster) manifests(dir string) ([]byte, error) {
	rendered, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		return nil, fmt.Errorf("kustomize build deploy/base: %w", err)
	}
	var documents [][]byte
	for _, r := range rendered.Resources() {
		object, err := r.Map()
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", r.GetName(), err)
		}
		switch r.GetKind() {
		case "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration":
			c.pointWebhooks(object)
		case "ConfigMap":
			c.chooseConfig(object)
		}
		document, err := yaml.Marshal(object)
		if err != nil {
			return nil, fmt.Errorf("render %s: %w", r.GetName(), err)
		}
		documents = append(documents, document)
	}
	return bytes.Join(documents, []byte("---\n")), nil
}

// pointWebhooks turns each webhook's Service reference into a URL: there is no network between the API server and Services here.
func (c *Cluster) pointWebhooks(configuration map[string]any) {
	hooks, _ := configuration["webhooks"].([]any)
	for _, hook := range hooks {
		clientConfig, _ := hook.(map[string]any)["clientConfig"].(map[string]any)
		service, _ := clientConfig["service"].(map[string]any)
		path, _ := service["path"].(string)
		delete(clientConfig, "service")
		clientConfig["url"] = c.ServerURL() + path
	}
}

// chooseConfig takes the configuration file out of its ConfigMap, or puts the test's own there.
func (c *Cluster) chooseConfig(configMap map[string]any) {
	data, _ := configMap["data"].(map[string]any)
	if _, ok := data["config.yaml"]; !ok {
		return
	}
	if c.options.Config != "" {
		data["config.yaml"] = c.options.Config
	}
	c.server.config, _ = data["config.yaml"].(string)
}

// credentials writes the kubeconfig of daprise's own ServiceAccount: its RBAC and its policy hold here as they do in a cluster.
func (c *Cluster) credentials(ctx context.Context) (string, error) {
	config, err := c.ServiceAccountConfig(ctx, systemNamespace, serviceAccount)
	if err != nil {
		return "", err
	}
	path := filepath.Join(c.Dir(), "daprise.kubeconfig")
	return path, controlplane.WriteKubeconfig(path, config)
}

const (
	systemNamespace = "daprise-system"
	serviceAccount  = "daprise-webhook"
)
