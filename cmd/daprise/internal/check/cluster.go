// SPDX-License-Identifier: Apache-2.0

package check

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/cmd/daprise/internal/live"
	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/webhook/hooks"
)

// Cluster is what checks read.
type Cluster struct {
	client    client.Client
	discovery discovery.DiscoveryInterface
	config    mesh.Config
	// faulty says why the cluster's config file cannot be read, and the defaults stand for it.
	faulty error
	// namespace is where Enforcing tries to write.
	namespace string
	now       time.Time
}

// Connect makes a Cluster of a connection. The namespace is one in which the user may create Services; nothing is created.
func Connect(ctx context.Context, connection *rest.Config, namespace string, now time.Time) (*Cluster, error) {
	c := &Cluster{namespace: namespace, now: now}
	var err error
	if c.client, err = live.NewClient(connection); err != nil {
		return nil, err
	}
	if c.discovery, err = discovery.NewDiscoveryClientForConfig(connection); err != nil {
		return nil, fmt.Errorf("connect to the cluster: %w", err)
	}
	if c.config, err = live.MeshConfig(ctx, c.client); err != nil {
		c.config, c.faulty = mesh.DefaultConfig(), err
	}
	return c, nil
}

// served are the versions of a kind that the API server serves.
func (c *Cluster) served(kind schema.GroupKind, version string) (bool, error) {
	resources, err := c.discovery.ServerResourcesForGroupVersion(schema.GroupVersion{Group: kind.Group, Version: version}.String())
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read what the API server serves of %s: %w", kind.Group, err)
	}
	for i := range resources.APIResources {
		if resources.APIResources[i].Kind == kind.Kind {
			return true, nil
		}
	}
	return false, nil
}

// missing are those of some kinds that the API server does not serve.
func (c *Cluster) missing(version schema.GroupVersion, kinds ...string) ([]string, error) {
	var missing []string
	for _, kind := range kinds {
		served, err := c.served(schema.GroupKind{Group: version.Group, Kind: kind}, version.Version)
		if err != nil {
			return nil, err
		}
		if !served {
			missing = append(missing, kind)
		}
	}
	return missing, nil
}

// get reads one object; found is false where it, or its kind, does not exist.
func (c *Cluster) get(ctx context.Context, key client.ObjectKey, object client.Object) (found bool, err error) {
	err = c.client.Get(ctx, key, object)
	if live.NotServed(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("get %s: %w", key.Name, err)
	}
	return true, nil
}

// configuration is a webhook configuration as stored: both kinds in one shape.
type configuration struct {
	kind        string
	annotations map[string]string
	hooks       []hook
}

// hook is one webhook of a configuration, as far as it is compared.
type hook struct {
	name     string
	rules    []admissionregistrationv1.RuleWithOperations
	failure  admissionregistrationv1.FailurePolicyType
	caBundle []byte
}

// stored are the two webhook configurations of the cluster, those that exist.
func (c *Cluster) stored(ctx context.Context) ([]configuration, error) {
	var all []configuration
	mutating, validating := &admissionregistrationv1.MutatingWebhookConfiguration{}, &admissionregistrationv1.ValidatingWebhookConfiguration{}
	key := client.ObjectKey{Name: hooks.Name}
	hasMutating, err1 := c.get(ctx, key, mutating)
	hasValidating, err2 := c.get(ctx, key, validating)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	if hasMutating {
		all = append(all, mutatingOf(mutating))
	}
	if hasValidating {
		all = append(all, validatingOf(validating))
	}
	return all, nil
}

func mutatingOf(m *admissionregistrationv1.MutatingWebhookConfiguration) configuration {
	c := configuration{kind: "MutatingWebhookConfiguration", annotations: m.Annotations}
	for i := range m.Webhooks {
		w := &m.Webhooks[i]
		c.hooks = append(c.hooks, hookOf(w.Name, w.Rules, w.FailurePolicy, w.ClientConfig.CABundle))
	}
	return c
}

func validatingOf(v *admissionregistrationv1.ValidatingWebhookConfiguration) configuration {
	c := configuration{kind: "ValidatingWebhookConfiguration", annotations: v.Annotations}
	for i := range v.Webhooks {
		w := &v.Webhooks[i]
		c.hooks = append(c.hooks, hookOf(w.Name, w.Rules, w.FailurePolicy, w.ClientConfig.CABundle))
	}
	return c
}

func hookOf(name string, rules []admissionregistrationv1.RuleWithOperations, failure *admissionregistrationv1.FailurePolicyType, caBundle []byte) hook {
	h := hook{name: name, rules: rules, failure: admissionregistrationv1.Fail, caBundle: caBundle}
	if failure != nil {
		h.failure = *failure
	}
	return h
}

func (c configuration) hook(name string) (hook, bool) {
	i := slices.IndexFunc(c.hooks, func(h hook) bool { return h.name == name })
	if i < 0 {
		return hook{}, false
	}
	return c.hooks[i], true
}
