// SPDX-License-Identifier: Apache-2.0

package check

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/util/version"
)

// oldest is the first Kubernetes with everything that daprise's hooks and policies use (docs/support.md).
const oldest = "1.31.0"

func kubernetes(_ context.Context, c *Cluster) ([]Line, error) {
	info, err := c.discovery.ServerVersion()
	if err != nil {
		return nil, fmt.Errorf("read the version of the API server: %w", err)
	}
	return judgeKubernetes(info.GitVersion), nil
}

// judgeKubernetes judges the version that an API server says it has.
func judgeKubernetes(gitVersion string) []Line {
	have, err := version.ParseGeneric(gitVersion)
	switch {
	case err != nil || have.Major() == 0:
		return []Line{hinted(Warn, "the API server says that it is "+gitVersion+", which is no version", "Run a release, "+oldest+" or later.")}
	case have.LessThan(version.MustParseGeneric(oldest)):
		return []Line{hinted(Fail, gitVersion+" is too old: CEL match conditions and ValidatingAdmissionPolicies are used as of "+oldest, "Upgrade Kubernetes.")}
	}
	return []Line{ok("%s", gitVersion)}
}
