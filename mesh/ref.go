// SPDX-License-Identifier: Apache-2.0

package mesh

import "k8s.io/apimachinery/pkg/types"

// Kinds that can be enrolled.
const (
	KindService    = "Service"
	KindDeployment = "Deployment"
	KindGateway    = "Gateway"
)

// Object names one object of a cluster or of a file.
type Object struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name"`
}

// String is the form used in refusals: "HTTPRoute default/whoami-route", without a namespace "Namespace default".
func (o Object) String() string {
	if o.Namespace == "" {
		return o.Kind + " " + o.Name
	}
	return o.Kind + " " + o.Namespace + "/" + o.Name
}

// AppRef names an app or an ingress of the mesh by its app ID and namespace.
type AppRef struct {
	Namespace string `json:"namespace"`
	ID        string `json:"id"`
}

// String is Dapr's own form, "whoami.default".
func (r AppRef) String() string { return r.ID + "." + r.Namespace }

// Name is a namespaced object name.
type Name = types.NamespacedName
