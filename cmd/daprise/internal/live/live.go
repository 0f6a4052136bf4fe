// SPDX-License-Identifier: Apache-2.0

// Package live reads from an API server what files would hold.
package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/daprise/daprise/cmd/daprise/internal/document"
	"github.com/daprise/daprise/cmd/daprise/internal/world"
	"github.com/daprise/daprise/controller"
	"github.com/daprise/daprise/mesh"
)

// pageSize of lists.
const pageSize = 500

// Access says how the API server is reached, as kubectl's flags do.
type Access struct {
	Kubeconfig string
	Context    string
}

// Config is the connection, with room for the lists of one command.
func (a Access) Config() (*rest.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = a.Kubeconfig
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: a.Context}).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("find the cluster: %w", err)
	}
	config.QPS, config.Burst = 50, 100
	return config, nil
}

// Client reads and writes the API server.
func (a Access) Client() (client.Client, error) {
	config, err := a.Config()
	if err != nil {
		return nil, err
	}
	scheme, err := controller.Scheme()
	if err != nil {
		return nil, err
	}
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("connect to the cluster: %w", err)
	}
	return c, nil
}

// Read reads all objects of the cluster that decisions look at, as a file without a name. Kinds that are not served have no objects.
func Read(ctx context.Context, reader client.Reader, config mesh.Config) (document.File, error) {
	var file document.File
	for _, k := range world.Kinds() {
		if err := list(ctx, reader, k, &file); err != nil {
			return file, err
		}
	}
	for _, s := range world.Surroundings(config) {
		object := &unstructured.Unstructured{}
		object.SetGroupVersionKind(s.GroupVersionKind)
		err := reader.Get(ctx, s.Name, object)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return file, fmt.Errorf("get %s %s: %w", s.Kind, s.Name, err)
		}
		if err := add(&file, object); err != nil {
			return file, err
		}
	}
	return file, nil
}

func list(ctx context.Context, reader client.Reader, k world.Kind, file *document.File) error {
	var selected client.MatchingLabels
	if k.Owned {
		selected = client.MatchingLabels{mesh.LabelManagedBy: mesh.ManagedByDaprise}
	}
	token := ""
	for {
		page := &unstructured.UnstructuredList{}
		page.SetGroupVersionKind(k.GroupVersion().WithKind(k.Kind + "List"))
		err := reader.List(ctx, page, selected, client.Limit(pageSize), client.Continue(token))
		if notServed(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("list %s: %w", k.Kind, err)
		}
		for i := range page.Items {
			if err := add(file, &page.Items[i]); err != nil {
				return err
			}
		}
		if token = page.GetContinue(); token == "" {
			return nil
		}
	}
}

// notServed says that a list failed since the API server does not know the kind.
func notServed(err error) bool {
	discovery := new(apiutil.ErrResourceDiscoveryFailed)
	return meta.IsNoMatchError(err) || apierrors.IsNotFound(err) || errors.As(err, &discovery)
}

func add(file *document.File, object *unstructured.Unstructured) error {
	object.SetManagedFields(nil)
	data, err := json.Marshal(object.Object)
	if err != nil {
		return fmt.Errorf("encode %s %s: %w", object.GetKind(), object.GetName(), err)
	}
	file.Segments = append(file.Segments, document.Segment{Document: document.Stored(data)})
	return nil
}
