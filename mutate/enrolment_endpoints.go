// SPDX-License-Identifier: Apache-2.0

package mutate

import (
	"fmt"
	"slices"
	"strconv"

	"gomodules.xyz/jsonpatch/v2"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/daprise/daprise/mesh"
)

// Variables by which Dapr's SDKs find their Dapr instance (dapr docs, environment variables reference).
const (
	envHTTPEndpoint = "DAPR_HTTP_ENDPOINT"
	envGRPCEndpoint = "DAPR_GRPC_ENDPOINT"
)

// endpoints writes the addresses of a companion's API into a pod template, and knows those it may have written before.
type endpoints struct {
	domain    string
	namespace string
	// ids are app IDs that the Deployment was enrolled with until now.
	ids []string
}

// of are the two variables for an app ID. The API Service keeps Dapr's own ports wherever the companion's pods listen.
func (e endpoints) of(id string) []corev1.EnvVar {
	host := fmt.Sprintf("http://%s.%s.svc.%s:", mesh.APIServiceName(id), e.namespace, e.domain)
	return []corev1.EnvVar{
		{Name: envHTTPEndpoint, Value: host + strconv.Itoa(int(mesh.PortHTTP))},
		{Name: envGRPCEndpoint, Value: host + strconv.Itoa(int(mesh.PortGRPC))},
	}
}

// patch brings the containers of a pod template to what the enrolment says. Init containers are left alone: they run before the app and
// would wait for a companion that nothing makes them need.
func (e endpoints) patch(d *appsv1.Deployment, candidate mesh.Candidate) []jsonpatch.Operation {
	var wanted []corev1.EnvVar
	stale := e.ids
	if candidate.App != nil && candidate.App.DaprAPI {
		wanted, stale = e.of(candidate.ID()), without(e.ids, candidate.ID())
	} else if candidate.App != nil {
		stale = append(slices.Clone(e.ids), candidate.ID())
	}
	var ours []corev1.EnvVar
	for _, id := range stale {
		ours = append(ours, e.of(id)...)
	}
	var patch []jsonpatch.Operation
	for i, container := range d.Spec.Template.Spec.Containers {
		path := fmt.Sprintf("/spec/template/spec/containers/%d/env", i)
		patch = append(patch, envPatch(path, container.Env, ours, wanted)...)
	}
	return patch
}

// envPatch removes or replaces what was ours and adds what is wanted, unless the container sets a variable of that name itself.
func envPatch(path string, env, ours, wanted []corev1.EnvVar) []jsonpatch.Operation {
	var replaced, removed []jsonpatch.Operation
	for i := len(env) - 1; i >= 0; i-- { // from the end, so that removing does not move what is still to be removed
		if !slices.ContainsFunc(ours, func(o corev1.EnvVar) bool { return same(o, env[i]) }) {
			continue
		}
		at := path + "/" + strconv.Itoa(i)
		if w := named(wanted, env[i].Name); w >= 0 {
			replaced = append(replaced, jsonpatch.NewOperation("replace", at+"/value", wanted[w].Value))
		} else {
			removed = append(removed, jsonpatch.NewOperation("remove", at, nil))
		}
	}
	if len(removed) > 0 && len(removed) == len(env) {
		return []jsonpatch.Operation{jsonpatch.NewOperation("remove", path, nil)}
	}
	var missing []map[string]string
	for _, w := range wanted {
		if named(env, w.Name) < 0 {
			missing = append(missing, map[string]string{"name": w.Name, "value": w.Value})
		}
	}
	patch := slices.Concat(replaced, removed)
	if len(env) == 0 && len(missing) > 0 {
		return append(patch, jsonpatch.NewOperation("add", path, missing))
	}
	for _, m := range missing {
		patch = append(patch, jsonpatch.NewOperation("add", path+"/-", m))
	}
	return patch
}

func same(a, b corev1.EnvVar) bool {
	return a.Name == b.Name && a.Value == b.Value && b.ValueFrom == nil
}

func named(env []corev1.EnvVar, name string) int {
	return slices.IndexFunc(env, func(e corev1.EnvVar) bool { return e.Name == name })
}
