// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// TestInstall: what is written is what kustomize builds of deploy/, with the image that was asked for.
func TestInstall(t *testing.T) {
	for _, test := range []struct{ certificates, folder, image, stored string }{
		{"self", "base", "", ""},
		{"self", "base", "registry.example:5000/team/daprise-webhook:v9", "registry.example:5000/team/daprise-webhook:v9"},
		{"self", "base", "registry.example:5000/daprise-webhook", "registry.example:5000/daprise-webhook:v0.1.0"},
		{"cert-manager", "overlays/cert-manager", "example/x@sha256:" + strings.Repeat("0", 64), "example/x@sha256:" + strings.Repeat("0", 64)},
		{"cert-manager", "overlays/cert-manager", "", ""},
	} {
		t.Run(test.certificates+" "+test.image, func(t *testing.T) {
			resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), "../../deploy/"+test.folder)
			if err != nil {
				t.Fatal(err)
			}
			built, err := resources.AsYaml()
			if err != nil {
				t.Fatal(err)
			}
			want := string(built)
			if test.stored != "" {
				const image = "image: ghcr.io/daprise/daprise-webhook:v0.1.0"
				if strings.Count(want, image) != 1 {
					t.Fatalf("%q is not once in deploy/%s", image, test.folder)
				}
				want = strings.Replace(want, image, "image: "+test.stored, 1)
			}
			got, err := daprise("install", "-o", "yaml", "--certificates", test.certificates, "--image", test.image)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	plain, err := daprise("install")
	if err != nil {
		t.Fatal(err)
	}
	with, err := daprise("install", "--syntax-policy")
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"} {
		if strings.Count(with, "kind: "+kind+"\n") != strings.Count(plain, "kind: "+kind+"\n")+1 {
			t.Errorf("the syntax policy adds no %s", kind)
		}
	}
	if _, err := daprise("install", "--certificates", "none"); err == nil || err.Error() != `--certificates: not who makes the certificate: "none"; it is self or cert-manager` {
		t.Errorf("got %v", err)
	}
}
