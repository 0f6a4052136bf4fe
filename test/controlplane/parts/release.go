// SPDX-License-Identifier: Apache-2.0

package parts

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
)

// Release names a Kubernetes that control planes can be of.
type Release string

// The releases. Newest is the one that people and tests get; Oldest is the oldest that daprise supports.
const (
	Newest Release = ""
	Oldest Release = "oldest"
)

// ReleaseVariable is the environment variable that chooses the Release for all control planes of a process: several test binaries at once,
// started by one go test, have no flag in common.
const ReleaseVariable = "CONTROLPLANE"

// ErrUnknownRelease is returned where ReleaseVariable names none of the constants.
var ErrUnknownRelease = errors.New("unknown release of Kubernetes")

// ChosenRelease is what ReleaseVariable says.
func ChosenRelease() (Release, error) {
	switch release := Release(os.Getenv(ReleaseVariable)); release {
	case Newest, Oldest:
		return release, nil
	default:
		return release, fmt.Errorf("%s=%s: %w", ReleaseVariable, release, ErrUnknownRelease)
	}
}

// set is what is built of one module: programs that are kept in one folder.
type set struct {
	module   string
	programs []program
	// ldflags are added to buildFlags.
	ldflags string
}

// sets are the modules of a release, and what of each.
func sets(root string, release Release) ([]set, error) {
	newest := filepath.Join(root, "hack", "controlplane")
	if release == Newest {
		return []set{{module: newest, programs: append(surroundings(), kubernetes()...)}}, nil
	}
	oldest := filepath.Join(newest, "oldest")
	version, err := kubernetesOf(oldest)
	if err != nil {
		return nil, err
	}
	return []set{
		{module: newest, programs: surroundings()},
		{module: oldest, programs: kubernetes(), ldflags: versionFlags(version)},
	}, nil
}

// required is Kubernetes' line in a go.mod.
func required() *regexp.Regexp {
	return regexp.MustCompile(`(?m)^(?:require )?\s*k8s\.io/kubernetes (v1\.(\d+)\.\d+)`)
}

var errNoKubernetes = errors.New("go.mod does not require k8s.io/kubernetes")

// KubernetesVersion is the version of a release, "v1.37.2" for one.
func KubernetesVersion(root string, release Release) (string, error) {
	version, err := kubernetesOf(filepath.Join(root, "hack", "controlplane", string(release)))
	return version[0], err
}

// GitVersion is what the programs of the chosen release say that they are. Those of the newest do not know it, as programs do that are built
// outside of a release.
func GitVersion(root string) (string, error) {
	release, err := ChosenRelease()
	if err != nil || release == Newest {
		return "v0.0.0-master+$Format:%H$", err
	}
	return KubernetesVersion(root, release)
}

// kubernetesOf is the version of Kubernetes in a module's go.mod, and its minor version.
func kubernetesOf(module string) ([2]string, error) {
	data, err := os.ReadFile(filepath.Join(module, "go.mod"))
	if err != nil {
		return [2]string{}, err
	}
	match := required().FindSubmatch(data)
	if match == nil {
		return [2]string{}, fmt.Errorf("%s: %w", module, errNoKubernetes)
	}
	return [2]string{string(match[1]), string(match[2])}, nil
}

// versionFlags make programs say which version they are, as those of a release do: Helm, for one, asks the API server.
func versionFlags(version [2]string) string {
	const variable = " -X k8s.io/component-base/version."
	return variable + "gitVersion=" + version[0] + variable + "gitMajor=1" + variable + "gitMinor=" + version[1]
}
