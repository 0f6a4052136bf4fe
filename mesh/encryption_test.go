// SPDX-License-Identifier: Apache-2.0

package mesh_test

import (
	"strings"
	"testing"

	"github.com/daprise/daprise/mesh"
)

func TestCheckEncryption(t *testing.T) {
	for _, tt := range []struct {
		name       string
		encryption mesh.Encryption
		cilium     mesh.Cilium
		encrypts   bool
		want       string
	}{
		{name: "Dapr's", encryption: mesh.EncryptionDapr},
		{name: "Dapr's beside Cilium's", encryption: mesh.EncryptionDapr, cilium: mesh.Cilium{Encrypts: true, Authenticates: true}},
		{name: "Cilium's", encryption: mesh.EncryptionCilium, cilium: mesh.Cilium{Encrypts: true, Authenticates: true}, encrypts: true},
		{name: "Cilium does not encrypt", encryption: mesh.EncryptionCilium, cilium: mesh.Cilium{Authenticates: true}, want: `does not say enable-wireguard or enable-ipsec: "true"`},
		{name: "Cilium does not authenticate", encryption: mesh.EncryptionCilium, cilium: mesh.Cilium{Encrypts: true}, want: `does not say mesh-auth-mutual-enabled: "true"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			view := &mesh.View{Cilium: tt.cilium}
			view.Config.Dapr.Encryption = tt.encryption
			if got := view.CiliumEncrypts(); got != tt.encrypts {
				t.Errorf("Cilium encrypts: %v", got)
			}
			findings := view.CheckEncryption()
			if (tt.want == "") != (len(findings) == 0) || tt.want != "" && !strings.Contains(findings[0].Message, tt.want) {
				t.Errorf("%v", findings)
			}
		})
	}
}

func TestCheckLocalRedirect(t *testing.T) {
	app := func(redirect, api bool) mesh.Candidate {
		return mesh.Candidate{App: &mesh.App{LocalRedirect: redirect, DaprAPI: api}}
	}
	gateway := mesh.Candidate{Ingress: &mesh.Ingress{LocalRedirect: true}}
	for _, tt := range []struct {
		name      string
		candidate mesh.Candidate
		enabled   bool
		want      []string
	}{
		{name: "nothing", enabled: true},
		{name: "not asked for", candidate: app(false, true)},
		{name: "an app", candidate: app(true, true), enabled: true},
		{name: "an app that does not use the API", candidate: app(true, false), enabled: true, want: []string{"nothing to redirect"}},
		{name: "a Gateway", candidate: gateway, enabled: true, want: []string{"the gateway does not pass through"}},
		{name: "Cilium ignores them", candidate: app(true, true), want: []string{"enable-local-redirect-policy"}},
		{name: "both", candidate: gateway, want: []string{"the gateway does not pass through", "enable-local-redirect-policy"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			view := &mesh.View{Cilium: mesh.Cilium{LocalRedirects: tt.enabled}}
			findings := view.CheckLocalRedirect(tt.candidate)
			if len(findings) != len(tt.want) {
				t.Fatalf("%v", findings)
			}
			for i, f := range findings {
				if !strings.Contains(f.Message, tt.want[i]) || f.Severity != mesh.Warn || f.Code != mesh.CodeLocalRedirect {
					t.Errorf("%+v, want %q", f, tt.want[i])
				}
			}
		})
	}
}
