// SPDX-License-Identifier: Apache-2.0

package mutate_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mutate"
)

// Fixtures: the smallest objects that enrol, each with a field that our types do not know.
const (
	enrolledService = `
metadata: {name: whoami, namespace: default, creationTimestamp: null, annotations: {daprise.dev/enabled: "true"}}
spec: {selector: {app: whoami}, ports: [{port: 80}], fieldOfTomorrow: {big: 9007199254740993}}
`
	enrolledDeployment = `
metadata: {name: whoami-v1, namespace: default, annotations: {daprise.dev/enabled: "true"}}
spec: {fieldOfTomorrow: 9007199254740993, template: {metadata: {labels: {app: whoami}}, spec: {containers: [{name: a}, {name: b, env: [{name: X, value: yy}]}]}}}
`
	enrolledGateway = `
metadata: {name: default-gateway, namespace: default, annotations: {daprise.dev/enabled: "true", dapr.io/app-id: ingress}}
spec: {gatewayClassName: cilium, listeners: not even a list}
`
	httpEndpoint = "http://whoami-dapr-api.default.svc.cluster.local:3500"
	grpcEndpoint = "http://whoami-dapr-api.default.svc.cluster.local:50001"
)

func toJSON(t tester, text string) []byte {
	t.Helper()
	data, err := yaml.YAMLToJSONStrict([]byte(text))
	if err != nil {
		t.Fatalf("fixture: %v\n%s", err, text)
	}
	return data
}

// swap replaces one thing in a fixture and fails if it is not there exactly once.
func swap(t tester, text, old, new string) string {
	t.Helper()
	if strings.Count(text, old) != 1 {
		t.Fatalf("%q is not once in %s", old, text)
	}
	return strings.Replace(text, old, new, 1)
}

// world is a View with an enrolled Gateway and a plain Service that selects whoami.
func world(t tester) *mesh.View {
	t.Helper()
	plain := &corev1.Service{}
	text := swap(t, swap(t, enrolledService, `, annotations: {daprise.dev/enabled: "true"}`, ""), ", fieldOfTomorrow: {big: 9007199254740993}", "")
	if err := yaml.UnmarshalStrict([]byte(text), plain); err != nil {
		t.Fatal(err)
	}
	return &mesh.View{Config: mesh.DefaultConfig(), Objects: mesh.Objects{Services: []*corev1.Service{plain}}}
}

// admit is one mutation, applied to the object as it was sent. It fails if mutating what was admitted changes anything.
func admit(t tester, view *mesh.View, r mutate.Request) ([]byte, []mesh.Finding) {
	t.Helper()
	before := bytes.Clone(r.Object)
	out, findings := once(t, view, r)
	if !bytes.Equal(before, r.Object) {
		t.Fatalf("Enrolment modified the object")
	}
	again, _ := once(t, view, mutate.Request{Kind: r.Kind, Object: out, OldObject: r.OldObject})
	if diff := cmp.Diff(string(out), string(again)); diff != "" {
		t.Fatalf("not idempotent (-once +twice):\n%s", diff)
	}
	return out, findings
}

func once(t tester, view *mesh.View, r mutate.Request) ([]byte, []mesh.Finding) {
	t.Helper()
	result, err := mutate.Enrolment(r, view)
	if err != nil {
		t.Fatal(err)
	}
	operations, err := json.Marshal(result.Patch)
	if err != nil {
		t.Fatal(err)
	}
	patch, err := jsonpatch.DecodePatch(operations)
	if err != nil {
		t.Fatal(err)
	}
	out, err := patch.Apply(r.Object)
	if err != nil {
		t.Fatalf("patch does not apply: %v\n%s\n%s", err, operations, r.Object)
	}
	return out, result.Findings
}

// differs compares JSON by meaning, with numbers as they are written.
func differs(t tester, want, got []byte) string {
	t.Helper()
	var sides [2]any
	for i, data := range [][]byte{want, got} {
		decoder := json.NewDecoder(bytes.NewReader(data))
		decoder.UseNumber()
		if err := decoder.Decode(&sides[i]); err != nil {
			t.Fatal(err)
		}
	}
	return cmp.Diff(sides[0], sides[1])
}

func TestEnrolment(t *testing.T) {
	ours := fmt.Sprintf(`{name: DAPR_HTTP_ENDPOINT, value: %q}, {name: DAPR_GRPC_ENDPOINT, value: %q}`, httpEndpoint, grpcEndpoint)
	const namespace = "namespace: default,"
	labels := func(value string) string { return namespace + " labels: " + value + "," }
	both := func(text string) string {
		return swap(t, swap(t, text, "{name: a}", "{name: a, env: ["+ours+"]}"), "value: yy}", "value: yy}, "+ours)
	}
	other := strings.ReplaceAll(ours, "whoami-dapr-api", "other-dapr-api")
	for _, test := range []struct{ name, kind, in, old, want string }{
		{name: "first label", kind: "Service", in: enrolledService, want: swap(t, enrolledService, namespace, labels("{daprise.dev/app-id: whoami}"))},
		{name: "one more label", kind: "Service", in: swap(t, enrolledService, namespace, labels("{a: b}")), want: swap(t, enrolledService, namespace, labels("{a: b, daprise.dev/app-id: whoami}"))},
		{name: "labels null", kind: "Service", in: swap(t, enrolledService, namespace, labels("null")), want: swap(t, enrolledService, namespace, labels("{daprise.dev/app-id: whoami}"))},
		{name: "a wrong label", kind: "Service", in: swap(t, enrolledService, namespace, labels("{daprise.dev/app-id: forged}")), want: swap(t, enrolledService, namespace, labels("{daprise.dev/app-id: whoami}"))},
		{name: "an empty label", kind: "Service", in: swap(t, enrolledService, `{daprise.dev/enabled: "true"}`, `{}, labels: {daprise.dev/app-id: ""}`), want: swap(t, enrolledService, `{daprise.dev/enabled: "true"}`, `{}`)},
		{name: "Gateway, whose spec is none of our business", kind: "Gateway", in: enrolledGateway, want: swap(t, enrolledGateway, namespace, labels("{daprise.dev/app-id: ingress}"))},
		{name: "leaving", kind: "Service", in: swap(t, swap(t, enrolledService, `"true"`, `"false"`), namespace, labels("{a: b, daprise.dev/app-id: whoami}")), want: swap(t, swap(t, enrolledService, `"true"`, `"false"`), namespace, labels("{a: b}"))},
		{name: "never enrolled", kind: "Service", in: swap(t, enrolledService, `daprise.dev/enabled: "true"`, "a: b"), want: swap(t, enrolledService, `daprise.dev/enabled: "true"`, "a: b")},
		{
			name: "being deleted", kind: "Service",
			in:   swap(t, swap(t, enrolledService, `{daprise.dev/enabled: "true"}`, `{}, deletionTimestamp: "2026-01-01T00:00:00Z"`), namespace, labels("{daprise.dev/app-id: whoami}")),
			want: swap(t, swap(t, enrolledService, `{daprise.dev/enabled: "true"}`, `{}, deletionTimestamp: "2026-01-01T00:00:00Z"`), namespace, labels("{daprise.dev/app-id: whoami}")),
		},
		{name: "Deployment", kind: "Deployment", in: enrolledDeployment, want: both(swap(t, enrolledDeployment, namespace, labels("{daprise.dev/app-id: whoami}")))},
		{
			name: "an endpoint of the user's", kind: "Deployment",
			in:   swap(t, enrolledDeployment, "{name: a}, ", "{name: a, env: [{name: DAPR_HTTP_ENDPOINT, value: mine}, {name: DAPR_GRPC_ENDPOINT, valueFrom: {fieldRef: {fieldPath: x}}}]}, "),
			want: swap(t, swap(t, swap(t, enrolledDeployment, namespace, labels("{daprise.dev/app-id: whoami}")), "{name: a}, ", "{name: a, env: [{name: DAPR_HTTP_ENDPOINT, value: mine}, {name: DAPR_GRPC_ENDPOINT, valueFrom: {fieldRef: {fieldPath: x}}}]}, "), "value: yy}", "value: yy}, "+ours),
		},
		{
			name: "no API", kind: "Deployment",
			in:   both(swap(t, swap(t, enrolledDeployment, `"true"`, `"true", daprise.dev/dapr-api: "false"`), namespace, labels("{daprise.dev/app-id: whoami}"))),
			want: swap(t, swap(t, enrolledDeployment, `"true"`, `"true", daprise.dev/dapr-api: "false"`), namespace, labels("{daprise.dev/app-id: whoami}")),
		},
		{
			name: "another app ID", kind: "Deployment",
			in:   both(swap(t, swap(t, enrolledDeployment, `"true"`, `"true", dapr.io/app-id: other`), namespace, labels("{daprise.dev/app-id: whoami}"))),
			want: strings.ReplaceAll(both(swap(t, swap(t, enrolledDeployment, `"true"`, `"true", dapr.io/app-id: other`), namespace, labels("{daprise.dev/app-id: other}"))), ours, other),
		},
		{
			name: "leaving by a client that forgets the label", kind: "Deployment",
			in: both(swap(t, enrolledDeployment, `"true"`, `"false"`)), old: both(swap(t, enrolledDeployment, namespace, labels("{daprise.dev/app-id: whoami}"))),
			want: swap(t, enrolledDeployment, `"true"`, `"false"`),
		},
		{
			name: "leaving with an endpoint of the user's", kind: "Deployment",
			in:   swap(t, swap(t, swap(t, enrolledDeployment, `"true"`, `"false"`), namespace, labels("{daprise.dev/app-id: whoami}")), "{name: a}", "{name: a, env: [{name: DAPR_HTTP_ENDPOINT, value: 'http://else:3500'}]}"),
			want: swap(t, swap(t, enrolledDeployment, `"true"`, `"false"`), "{name: a}", "{name: a, env: [{name: DAPR_HTTP_ENDPOINT, value: 'http://else:3500'}]}"),
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			var old []byte
			if test.old != "" {
				old = toJSON(t, test.old)
			}
			got, findings := admit(t, world(t), mutate.Request{Kind: test.kind, Object: toJSON(t, test.in), OldObject: old})
			if len(findings) > 0 {
				t.Errorf("findings: %v", findings)
			}
			if diff := differs(t, toJSON(t, test.want), got); diff != "" {
				t.Errorf("admitted (-want +got):\n%s", diff)
			}
		})
	}
}

// TestEnrolmentDenied: what is refused is not touched, and what was wrong before stops no unrelated update.
func TestEnrolmentDenied(t *testing.T) {
	bad := swap(t, enrolledService, `"true"`, `"true", daprise.dev/replicas: none`)
	leaving := swap(t, swap(t, bad, `enabled: "true"`, `enabled: "false"`), "namespace: default,", "namespace: default, labels: {daprise.dev/app-id: whoami},")
	for _, test := range []struct {
		name, in, old string
		severity      mesh.Severity
		untouched     bool
	}{
		{"created wrong", bad, "", mesh.Deny, true},
		{"made wrong", bad, enrolledService, mesh.Deny, true},
		{"wrong before", bad, bad, mesh.Warn, true},
		{"leaving, wrong before", leaving, bad, mesh.Warn, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			var old []byte
			if test.old != "" {
				old = toJSON(t, test.old)
			}
			in := toJSON(t, test.in)
			got, findings := admit(t, world(t), mutate.Request{Kind: "Service", Object: in, OldObject: old})
			if len(findings) != 1 || findings[0].Severity != test.severity || findings[0].Code != mesh.CodeBadValue {
				t.Errorf("findings: %+v", findings)
			}
			if untouched := differs(t, in, got) == ""; untouched != test.untouched {
				t.Errorf("untouched is %t:\n%s", untouched, got)
			}
			if !test.untouched && strings.Contains(string(got), mesh.LabelAppID) {
				t.Errorf("the label is left: %s", got)
			}
		})
	}
}

func TestEnrolmentUndecodable(t *testing.T) {
	for _, test := range []struct{ name, kind, object, want string }{
		{"another kind", "Pod", "{}", `not a kind that can be enrolled: "Pod"`},
		{"not JSON", "Service", "{", "decode Service: unexpected end of JSON input"},
		{"another shape", "Deployment", `{"spec":{"template":1}}`, "decode Deployment: json: cannot unmarshal number into Go struct field DeploymentSpec.spec.template of type v1.PodTemplateSpec"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := mutate.Enrolment(mutate.Request{Kind: test.kind, Object: []byte(test.object)}, world(t))
			if err == nil || err.Error() != test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

// TestEnrolmentProperties: whatever a Deployment's containers say, enrolling is idempotent, leaving gives back the object as it was, and
// fields that our types do not know survive.
func TestEnrolmentProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		env := rapid.SampledFrom([]string{
			"{name: X, value: yy}", "{name: DAPR_HTTP_ENDPOINT, value: mine}", "{name: DAPR_GRPC_ENDPOINT, valueFrom: {fieldRef: {fieldPath: x}}}", "{name: EMPTY}",
		})
		var containers []string
		for i := range rapid.IntRange(1, 3).Draw(t, "containers") {
			envs := rapid.SliceOfNDistinct(env, 0, 4, rapid.ID[string]).Draw(t, "env")
			container := fmt.Sprintf("{name: c%d, tomorrow: {x: 1}", i)
			if len(envs) > 0 {
				container += ", env: [" + strings.Join(envs, ", ") + "]"
			}
			containers = append(containers, container+"}")
		}
		plain := swap(t, enrolledDeployment, "{name: a}, {name: b, env: [{name: X, value: yy}]}", strings.Join(containers, ", "))
		labels := rapid.SampledFrom([]string{"", " labels: {a: b},"}).Draw(t, "labels")
		plain = swap(t, plain, "namespace: default,", "namespace: default,"+labels)
		enrol := toJSON(t, plain)
		leave := toJSON(t, swap(t, plain, `"true"`, `"false"`))
		api := rapid.SampledFrom([]string{"true", "false"}).Draw(t, "api")
		enrol = bytes.Replace(enrol, []byte(`"annotations":{`), []byte(`"annotations":{"daprise.dev/dapr-api":"`+api+`",`), 1)

		view := world(t)
		kept := view.Objects.Services[0].DeepCopy()
		enrolled, findings := admit(t, view, mutate.Request{Kind: "Deployment", Object: enrol})
		if len(findings) > 0 {
			t.Fatalf("refused: %+v", findings)
		}
		var d appsv1.Deployment
		if err := json.Unmarshal(enrolled, &d); err != nil {
			t.Fatal(err)
		}
		for _, c := range d.Spec.Template.Spec.Containers {
			if api == "true" && (count(c.Env, "DAPR_HTTP_ENDPOINT") != 1 || count(c.Env, "DAPR_GRPC_ENDPOINT") != 1) {
				t.Fatalf("endpoints not once: %+v", c.Env)
			}
		}
		left := bytes.Replace(enrolled, []byte(`"daprise.dev/dapr-api":"`+api+`",`), nil, 1)
		left = bytes.Replace(left, []byte(`"daprise.dev/enabled":"true"`), []byte(`"daprise.dev/enabled":"false"`), 1)
		restored, _ := admit(t, view, mutate.Request{Kind: "Deployment", Object: left, OldObject: enrolled})
		if diff := differs(t, leave, restored); diff != "" {
			t.Fatalf("not restored (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(kept, view.Objects.Services[0]); diff != "" {
			t.Fatalf("Enrolment modified the View (-want +got):\n%s", diff)
		}
	})
}

func count(env []corev1.EnvVar, name string) int {
	n := 0
	for _, e := range env {
		if e.Name == name {
			n++
		}
	}
	return n
}
