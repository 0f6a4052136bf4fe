// SPDX-License-Identifier: Apache-2.0

package build

import (
	"context"
	"os"
	"path/filepath"
)

const (
	daprModule = "hack/datapath/dapr"
	daprSource = "github.com/dapr/dapr"
	// daprReplacement is where the replace directive of that module points.
	daprReplacement = ".cache/datapath/dapr-replaces"
)

// componentsSource stands for the folder in which Dapr's daprd lists its components. Dapr chooses among them by build tags, and the smaller of
// its two sets is some 900 packages: every cloud's client. What a companion uses is Dapr's runtime itself; of the components it needs
// the name resolution of Kubernetes, and those that the attacks ask for must be there to be refused.
const componentsSource = `// SPDX-License-Identifier: Apache-2.0

// Package components registers the components that a companion can have here.
package components

import (
	"github.com/dapr/components-contrib/nameresolution/kubernetes"
	memory "github.com/dapr/components-contrib/state/in-memory"
	secrets "github.com/dapr/components-contrib/secretstores/kubernetes"
	"github.com/dapr/dapr/pkg/components/nameresolution"
	"github.com/dapr/dapr/pkg/components/secretstores"
	"github.com/dapr/dapr/pkg/components/state"
)

func init() {
	nameresolution.DefaultRegistry.RegisterComponent(kubernetes.NewResolver, "kubernetes")
	secretstores.DefaultRegistry.RegisterComponent(secrets.NewKubernetesSecretStore, "kubernetes")
	state.DefaultRegistry.RegisterComponent(memory.NewInMemoryStateStore, "in-memory")
}
`

// daprReplacements makes the copy of Dapr that its programs are built from: Dapr's own source but for the list of components.
func daprReplacements(ctx context.Context, root string) error {
	into := filepath.Join(root, filepath.FromSlash(daprReplacement))
	if err := os.RemoveAll(into); err != nil {
		return err
	}
	err := copyModule(ctx, filepath.Join(root, filepath.FromSlash(daprModule)), copied{
		module: daprSource, into: into, skip: []string{"cmd/daprd/components", "tests", "docs", "grafana", "img", ".github"},
	})
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(into, "cmd", "daprd", "components", "components.go"), componentsSource)
}
