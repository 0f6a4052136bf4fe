// SPDX-License-Identifier: Apache-2.0

package companion

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/daprise/daprise/mesh"
)

// APIVersion and Kind of Dapr's Configuration (dapr pkg/apis/configuration/v1alpha1). Its Go types would bring all of Dapr's
// dependencies; these are the fields that daprise writes.
const (
	ConfigurationAPIVersion = "dapr.io/v1alpha1"
	ConfigurationKind       = "Configuration"
)

// defaultClusterDomain is what Dapr's Kubernetes name resolution assumes.
const defaultClusterDomain = "cluster.local"

type configurationSpec struct {
	API            *apiSpec            `json:"api,omitempty"`
	AccessControl  *accessControlSpec  `json:"accessControl,omitempty"`
	NameResolution *nameResolutionSpec `json:"nameResolution,omitempty"`
}

type apiSpec struct {
	Allowed []apiRule `json:"allowed,omitempty"`
	Denied  []apiRule `json:"denied,omitempty"`
}

// apiRule names one group of Dapr's API. The spelling of Version differs by protocol: HTTP rules are compared with the path ("v1.0"),
// gRPC rules with a table of method groups ("v1"); a gRPC rule that is not in the table is dropped, and no rule left means all
// allowed (dapr pkg/api/http/endpoints/endpoint.go, pkg/api/grpc/endpoints.go).
type apiRule struct {
	Name     string `json:"name"`
	Version  string `json:"version"`
	Protocol string `json:"protocol"`
}

type accessControlSpec struct {
	DefaultAction string            `json:"defaultAction"`
	TrustDomain   string            `json:"trustDomain"`
	Policies      []appAccessPolicy `json:"policies,omitempty"`
}

type appAccessPolicy struct {
	AppID         string `json:"appId"`
	DefaultAction string `json:"defaultAction"`
	TrustDomain   string `json:"trustDomain"`
	Namespace     string `json:"namespace"`
}

type nameResolutionSpec struct {
	Component     string            `json:"component"`
	Version       string            `json:"version"`
	Configuration map[string]string `json:"configuration"`
}

// ingressConfiguration leaves an ingress companion nothing but service invocation. Over gRPC that is the proxying of calls, of which the
// API rules know nothing (dapr pkg/api/grpc/endpoints.go); the API's own InvokeService is closed, because a client of a GRPCRoute could
// choose any target in its message.
func ingressConfiguration(config mesh.Config) configurationSpec {
	closed := closedAPI()
	return configurationSpec{
		API: &apiSpec{
			Allowed: []apiRule{{Name: "invoke", Version: "v1.0", Protocol: "http"}, closed.Allowed[1]},
			Denied:  closed.Denied,
		},
		NameResolution: nameResolution(config),
	}
}

// appConfiguration lets in the callers, and nobody else; and closes Dapr's API where the app does not use it.
func appConfiguration(app mesh.App, in Input) configurationSpec {
	spec := configurationSpec{NameResolution: nameResolution(in.Config)}
	if !app.DaprAPI {
		spec.API = closedAPI()
	}
	// Without Dapr's mTLS a caller has no identity and would always get the default action.
	if in.Config.Dapr.Encryption != mesh.EncryptionCilium {
		spec.AccessControl = accessControl(in)
	}
	return spec
}

// closedAPI allows no call at all. An empty allowlist would allow everything, so each protocol gets one rule: over HTTP the health
// checks, which always answer; over gRPC, where there is no such group, one that is denied at the same time.
func closedAPI() *apiSpec {
	shutdown := apiRule{Name: "shutdown", Version: "v1", Protocol: "grpc"}
	return &apiSpec{
		Allowed: []apiRule{{Name: "healthz", Version: "v1.0", Protocol: "http"}, shutdown},
		Denied:  []apiRule{shutdown},
	}
}

func accessControl(in Input) *accessControlSpec {
	callers := slices.Clone(in.Callers)
	slices.SortFunc(callers, func(a, b mesh.AppRef) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.ID, b.ID))
	})
	acl := &accessControlSpec{DefaultAction: "deny", TrustDomain: mesh.PublicTrustDomain}
	for _, caller := range slices.Compact(callers) {
		acl.Policies = append(acl.Policies, appAccessPolicy{
			AppID:         caller.ID,
			DefaultAction: "allow",
			TrustDomain:   cmp.Or(in.TrustDomains[caller], mesh.PublicTrustDomain),
			Namespace:     caller.Namespace,
		})
	}
	return acl
}

// nameResolution is needed only where the cluster's domain is not the one that Dapr assumes.
func nameResolution(config mesh.Config) *nameResolutionSpec {
	if config.Cluster.Domain == defaultClusterDomain || config.Cluster.Domain == "" {
		return nil
	}
	return &nameResolutionSpec{
		Component:     "kubernetes",
		Version:       "v1",
		Configuration: map[string]string{"clusterDomain": config.Cluster.Domain},
	}
}

func (i instance) configurationName() string {
	if i.settings.hasConfig {
		return i.settings.value(keyConfig)
	}
	return i.name()
}

// configurationHash changes with the content of the Configuration that the pods read.
func (i instance) configurationHash() string {
	content := []byte(i.input.UserConfiguration)
	if !i.settings.hasConfig {
		content = mustJSON(i.configuration)
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:8])
}

func (i instance) configurationObject() *unstructured.Unstructured {
	meta := i.objectMeta(i.name())
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&meta)
	if err != nil {
		panic("metadata does not convert: " + err.Error()) // a bug: ObjectMeta always converts
	}
	delete(content, "creationTimestamp")
	var spec map[string]any
	if err := json.Unmarshal(mustJSON(i.configuration), &spec); err != nil {
		panic("Configuration does not convert: " + err.Error()) // a bug: it was encoded the line above
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": ConfigurationAPIVersion,
		"kind":       ConfigurationKind,
		"metadata":   content,
		"spec":       spec,
	}}
}

// mustJSON encodes a struct of strings, which cannot fail.
func mustJSON(spec configurationSpec) []byte {
	data, err := json.Marshal(spec)
	if err != nil {
		panic("encode Configuration: " + err.Error())
	}
	return data
}
