// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/daprise/daprise/deploy"
)

var errCertificates = errors.New("not who makes the certificate")

// serverImage is the image's name in the manifests, without its tag (hack/gen/manifests).
const serverImage = "ghcr.io/daprise/daprise-webhook"

// installing is the command line of daprise install.
type installing struct {
	certificates string
	image        string
	syntax       bool
	output       string
}

func install() *cobra.Command {
	i := &installing{}
	command := &cobra.Command{
		Use:   "install",
		Short: "Write the manifests that install this version of daprise",
		Long: `Writes what deploy/base of this version says: namespace, rights, config file, policies, server and webhook configurations, in the order in which
they have to be applied. It applies nothing.`,
		Example: "  daprise install | kubectl apply -f -\n  daprise install --certificates cert-manager --image registry.example/daprise-webhook:v0.1.0 > daprise.yaml",
		Args:    cobra.NoArgs,
		RunE:    i.run,
	}
	flags := command.Flags()
	flags.StringVar(&i.certificates, "certificates", "self", "who makes the webhook's certificate: self or cert-manager")
	flags.StringVar(&i.image, "image", "", "image of daprise-webhook; by default that of this version")
	flags.BoolVar(&i.syntax, "syntax-policy", false, "also the policy daprise-syntax, by which the API server itself refuses malformed annotations")
	flags.StringVarP(&i.output, "output", "o", "yaml", "yaml")
	return command
}

func (i *installing) run(command *cobra.Command, _ []string) error {
	if i.output != "yaml" {
		return fmt.Errorf("-o: %w: %q; it is yaml", errFormat, i.output)
	}
	folder, ok := map[string]string{"self": "base", "cert-manager": "overlays/cert-manager"}[i.certificates]
	if !ok {
		return fmt.Errorf("--certificates: %w: %q; it is self or cert-manager", errCertificates, i.certificates)
	}
	text, err := i.manifests(folder)
	if err != nil {
		return err
	}
	_, err = command.OutOrStdout().Write(text)
	return err
}

// manifests builds one of the kustomizations that the binary carries, with what the command line asks for.
func (i *installing) manifests(folder string) ([]byte, error) {
	disk := filesys.MakeFsInMemory()
	err := fs.WalkDir(deploy.Files(), ".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(deploy.Files(), file)
		if err != nil {
			return err
		}
		return disk.WriteFile(path.Join("/deploy", file), data)
	})
	if err != nil {
		return nil, fmt.Errorf("read the manifests: %w", err)
	}
	top := "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [../deploy/" + folder + "]\n"
	if i.syntax {
		top += "components: [../deploy/components/syntax]\n"
	}
	if i.image != "" {
		top += "images: [" + override(i.image) + "]\n"
	}
	if err := disk.WriteFile("/top/kustomization.yaml", []byte(top)); err != nil {
		return nil, fmt.Errorf("write the kustomization: %w", err)
	}
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(disk, "/top")
	if err != nil {
		return nil, fmt.Errorf("build the manifests: %w", err)
	}
	return resources.AsYaml()
}

// override is an entry of a kustomization's images.
func override(image string) string {
	name, digest, hasDigest := strings.Cut(image, "@")
	tag := ""
	// A colon before the last slash is that of a port.
	if colon := strings.LastIndex(name, ":"); colon > strings.LastIndex(name, "/") {
		name, tag = name[:colon], name[colon+1:]
	}
	entry := fmt.Sprintf("{name: %s, newName: %q", serverImage, name)
	switch {
	case hasDigest:
		entry += fmt.Sprintf(", digest: %q", digest)
	case tag != "":
		entry += fmt.Sprintf(", newTag: %q", tag)
	}
	return entry + "}"
}
