// SPDX-License-Identifier: Apache-2.0

package validate_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/validate"
)

// TestEnrolmentCaveats: what an enrolment will not get as asked for is said once, when it is asked for, and refuses nothing.
func TestEnrolmentCaveats(t *testing.T) {
	tracing := func(a *mesh.AccessControl) func(*mesh.View) {
		return func(v *mesh.View) {
			v.Configurations = []mesh.Configuration{{Name: mesh.Name{Namespace: "default", Name: "tracing"}, Content: "{}", AccessControl: a}}
		}
	}
	denying := &mesh.AccessControl{DefaultAction: "deny"}
	routed := func(v *mesh.View) {
		tracing(denying)(v)
		app := mesh.AppRef{Namespace: "default", ID: "whoami"}
		v.Routes = []mesh.RouteTarget{{Route: mesh.Object{Kind: "HTTPRoute", Namespace: "default", Name: "r"}, Ingress: v.Ingresses[0].AppRef, App: app}}
	}
	const field = "Service default/whoami admitted with a warning: metadata.annotations[dapr.io/config]: "
	configured := swap(t, enrolledService, `"true"`, `"true", dapr.io/config: tracing`)
	called := swap(t, enrolledService, `"true"`, `"true", dapr.io/config: tracing, daprise.dev/callers: "cart, shop.other"`)
	for _, tt := range []struct {
		name, kind, old, in string
		tweak               func(*mesh.View)
		want                []string
	}{
		{name: "a Configuration that says the same", kind: "Service", in: configured, tweak: tracing(denying)},
		{name: "an absent Configuration", kind: "Service", in: configured,
			want: []string{field + "Configuration default/tracing does not exist: Dapr does not start without it, so that the companion is not started or rolled. Create it, or remove the annotation. [DPR312]"}},
		{name: "a Configuration that refuses callers", kind: "Service", in: called, tweak: tracing(denying),
			want: []string{field + "Configuration default/tracing refuses cart.default and shop.other, which may call the app. Allow them in its spec.accessControl, or take them out of daprise.dev/callers and the routes. [DPR312]"}},
		{name: "a Configuration that refuses the ingress companion", kind: "Service", in: configured, tweak: routed,
			want: []string{field + "Configuration default/tracing refuses ingress.default, which may call the app. Allow them in its spec.accessControl, or take them out of daprise.dev/callers and the routes. [DPR312]"}},
		{name: "an open Configuration", kind: "Service", in: configured, tweak: tracing(nil),
			want: []string{field + "Configuration default/tracing lets in every caller, so that network policy alone says who may call the app. Set spec.accessControl.defaultAction to deny and allow the callers. [DPR312]"}},
		{name: "said before", kind: "Service", old: configured, in: swap(t, configured, "port: 80", "port: 81"), tweak: tracing(nil)},
		{name: "a redirect that Cilium ignores", kind: "Service", in: swap(t, enrolledService, `"true"`, `"true", daprise.dev/local-redirect: "true"`),
			want: []string{`Service default/whoami admitted with a warning: metadata.annotations[daprise.dev/local-redirect]: ConfigMap cilium-config does not say enable-local-redirect-policy: "true", without which Cilium ignores local redirects. Enable local redirect policies in Cilium, or remove the annotation. [DPR313]`}},
		{name: "encryption that Cilium does not do", kind: "Service", in: enrolledService, tweak: func(v *mesh.View) { v.Config.Dapr.Encryption = mesh.EncryptionCilium },
			want: []string{`Service default/whoami admitted with a warning: dapr.encryption is "cilium", and ConfigMap cilium-config does not say enable-wireguard or enable-ipsec: "true", so that companions do not start without Dapr's mTLS. Set it in Cilium, or dapr.encryption: dapr in daprise's config file, which is what to prefer: Cilium deprecates mutual authentication. [DPR403]`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := enrolmentWorld(t)
			// Policies follow from the enrolment, so that coverage says nothing here.
			w.View.Namespaces["default"][mesh.LabelPolicies] = "generate"
			if tt.tweak != nil {
				tt.tweak(w.View)
			}
			got := enrolmentFindings(t, w, validate.EnrolmentWrite{Kind: tt.kind, Object: jsonOf(t, tt.in), OldObject: jsonOf(t, tt.old)})
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
