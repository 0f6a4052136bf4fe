// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"slices"

	"github.com/daprise/daprise/mesh"
)

// directory answers what is asked of a View for each companion. For one of them the View is scanned; for many there are indexes, since a scan
// for each would take time by the square of their number.
type directory struct {
	view *mesh.View
	// indexes is nil where the View is scanned.
	indexes *indexes
}

type indexes struct {
	// routed are the ingress companions that route to an app, each perhaps several times.
	routed    map[mesh.AppRef][]mesh.AppRef
	ingresses map[mesh.AppRef]bool
	services  map[mesh.Name]mesh.Service
	splits    map[mesh.Name][]mesh.ServiceSplit
	pods      map[string][]mesh.PodSet
}

// look scans a View.
func look(view *mesh.View) directory { return directory{view: view} }

// indexed is a directory for many companions. It must not outlive a change of the View.
func indexed(view *mesh.View) directory {
	x := &indexes{
		routed: map[mesh.AppRef][]mesh.AppRef{}, ingresses: map[mesh.AppRef]bool{}, services: map[mesh.Name]mesh.Service{},
		splits: map[mesh.Name][]mesh.ServiceSplit{}, pods: map[string][]mesh.PodSet{},
	}
	for i := range view.Ingresses {
		x.ingresses[view.Ingresses[i].AppRef] = true
	}
	for i := range view.Routes {
		r := &view.Routes[i]
		x.routed[r.App] = append(x.routed[r.App], r.Ingress)
		x.ingresses[r.Ingress] = true
	}
	for i := range view.Services {
		if _, known := x.services[view.Services[i].Name]; !known {
			x.services[view.Services[i].Name] = view.Services[i]
		}
	}
	for _, split := range view.ServiceSplits {
		x.splits[split.Service] = append(x.splits[split.Service], split)
	}
	for _, set := range view.Pods {
		x.pods[set.Namespace] = append(x.pods[set.Namespace], set)
	}
	return directory{view, x}
}

// routedTo are the ingress companions that route to an app, each perhaps several times.
func (d directory) routedTo(app mesh.AppRef) []mesh.AppRef {
	if d.indexes != nil {
		return d.indexes.routed[app]
	}
	var refs []mesh.AppRef
	for i := range d.view.Routes {
		if r := &d.view.Routes[i]; r.App == app {
			refs = append(refs, r.Ingress)
		}
	}
	return refs
}

// component tells ingress companions from those of apps. A caller that is not enrolled, or not in the View, counts as an app.
func (d directory) component(ref mesh.AppRef) mesh.Component {
	isIngress := false
	if d.indexes != nil {
		isIngress = d.indexes.ingresses[ref]
	} else if _, isIngress = d.view.Ingress(ref); !isIngress {
		isIngress = slices.ContainsFunc(d.view.Routes, func(r mesh.RouteTarget) bool { return r.Ingress == ref })
	}
	if isIngress {
		return mesh.ComponentIngress
	}
	return mesh.ComponentApp
}

func (d directory) service(name mesh.Name) (mesh.Service, bool) {
	if d.indexes != nil {
		service, ok := d.indexes.services[name]
		return service, ok
	}
	return d.view.Service(name)
}

// splitsOf are where the traffic of a Service is sent to.
func (d directory) splitsOf(service mesh.Name) []mesh.ServiceSplit {
	if d.indexes != nil {
		return d.indexes.splits[service]
	}
	var splits []mesh.ServiceSplit
	for _, split := range d.view.ServiceSplits {
		if split.Service == service {
			splits = append(splits, split)
		}
	}
	return splits
}

func (d directory) podsOf(namespace string, selector map[string]string) []mesh.PodSet {
	if d.indexes != nil {
		return (&mesh.View{Pods: d.indexes.pods[namespace]}).PodsOf(namespace, selector)
	}
	return d.view.PodsOf(namespace, selector)
}

// callersOf are the ingress companions that route to the app and its declared callers, sorted, each once.
func (d directory) callersOf(app mesh.App) []mesh.AppRef {
	callers := slices.Concat(d.routedTo(app.AppRef), app.Callers)
	callers = slices.DeleteFunc(callers, func(ref mesh.AppRef) bool { return ref == app.AppRef })
	slices.SortFunc(callers, compareAppRefs)
	return slices.Compact(callers)
}
