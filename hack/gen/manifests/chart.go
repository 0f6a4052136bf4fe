// SPDX-License-Identifier: Apache-2.0

package manifests

import (
	"path"
	"slices"

	"github.com/daprise/daprise/mesh"
)

// chartFolder is where Helm's templates find what is generated for them.
const chartFolder = "helm/daprise/generated"

// ChartFiles are the objects of deploy/ once more, one YAML list a file, by their path under deploy/: Helm's templates read them and
// change what values change, so that hooks, policies and roles have one source. The namespace is Helm's to make, and the ConfigMap is
// made of values.
func ChartFiles(config mesh.Config) (map[string][]byte, error) {
	files, err := Files(config)
	if err != nil {
		return nil, err
	}
	lists := map[string][]byte{}
	for _, file := range files {
		name := path.Base(file.Path)
		if slices.Contains([]string{"namespace.yaml", "config.yaml"}, name) {
			continue
		}
		if lists[path.Join(chartFolder, name)], err = RenderList(file.Objects); err != nil {
			return nil, err
		}
	}
	return lists, nil
}
