// SPDX-License-Identifier: Apache-2.0

package mesh

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// group are the objects behind one Service that agree, and what they say together.
type group struct {
	service *corev1.Service
	id      string
	members []member
	values  map[string]string
	// said is the member that said each value.
	said map[string]Object
}

// apps joins members behind one Service and resolves each group.
func (r *resolver) apps(members []member) []claim {
	slices.SortFunc(members, func(a, b member) int {
		return cmp.Or(cmp.Compare(a.service.Namespace, b.service.Namespace), cmp.Compare(a.service.Name, b.service.Name), compareAge(a, b))
	})
	var groups []*group
	for _, m := range members {
		id, ok := r.id(m, m.service.Name)
		if !ok {
			continue
		}
		if n := len(groups); n == 0 || groups[n-1].service != m.service {
			groups = append(groups, &group{service: m.service, id: id, values: map[string]string{}, said: map[string]Object{}})
		}
		r.join(groups[len(groups)-1], m, id)
	}
	var claims []claim
	for _, g := range groups {
		if app, ok := r.app(g); ok {
			claims = append(claims, claim{app: &app, members: g.members})
		}
	}
	return claims
}

// join adds a member to a group if it agrees with those that are older.
func (r *resolver) join(g *group, m member, id string) {
	if id != g.id {
		r.disagree(m, AnnotationAppID, quoted(id), fmt.Sprintf("%s has app ID %s", g.members[0].object, quoted(g.id)))
		return
	}
	merged := maps.Clone(g.values)
	for _, key := range slices.Sorted(maps.Keys(m.values)) {
		value, said := g.values[key]
		if said && value != m.values[key] {
			r.disagree(m, key, quoted(m.meta.GetAnnotations()[key]), fmt.Sprintf("%s says %s", g.said[key], quoted(value)))
			return
		}
		merged[key] = m.values[key]
	}
	if replicas, numbered := merged[AnnotationReplicas]; numbered && merged[AnnotationStrategy] == string(StrategyDaemonSet) {
		if _, own := m.values[AnnotationReplicas]; own {
			r.disagree(m, AnnotationReplicas, quoted(replicas), fmt.Sprintf(`%s says strategy "daemonset"`, g.said[AnnotationStrategy]))
		} else {
			r.disagree(m, AnnotationStrategy, `"daemonset"`, fmt.Sprintf("%s says %s replicas", g.said[AnnotationReplicas], quoted(replicas)))
		}
		return
	}
	for key := range m.values {
		if _, said := g.said[key]; !said {
			g.said[key] = m.object
		}
	}
	g.values, g.members = merged, append(g.members, m)
}

func (r *resolver) disagree(m member, key, value, other string) {
	r.deny(denied(m.object, CodeBadValue, reason{annotationField(key), fmt.Sprintf("%s, but %s, and both enrol the app of %s", value, other, objectOfService(m.service)),
		"Make them agree, or enrol only one of them."}))
}

// app resolves what a group asks for. What is missing is a finding on each member.
func (r *resolver) app(g *group) (App, bool) {
	port, ok := choosePort(g.service, g.values[AnnotationAppPort])
	if !ok {
		g.each(r, CodeNoPort, reason{annotationField(AnnotationAppPort),
			fmt.Sprintf("not set, and the Service has %d ports, none named http: %s", len(tcpPorts(g.service)), portNames(tcpPorts(g.service))),
			"Set dapr.io/app-port to the one that Dapr is to call."})

		return App{}, false
	}
	if g.service.Spec.ClusterIP == corev1.ClusterIPNone && !straight(port) {
		g.each(r, CodeServiceUnfit, reason{"spec.clusterIP",
			fmt.Sprintf("None leads the companion to the pods' own port %d, but the Service's port %d leads to %s", port.Port, port.Port, port.TargetPort.String()),
			"Give the Service a cluster IP, or make port and targetPort the same number."})

		return App{}, false
	}
	protocol, ok := g.values[AnnotationAppProtocol], true
	if protocol == "" {
		protocol, ok = protocolOf(port)
	}
	if !ok {
		i := slices.IndexFunc(g.service.Spec.Ports, func(p corev1.ServicePort) bool { return p.Port == port.Port && tcp(p.Protocol) })
		g.each(r, CodeServiceUnfit, reason{fmt.Sprintf("spec.ports[%d].appProtocol", i),
			quoted(*port.AppProtocol) + " is not one that Dapr speaks: " + enumerate(protocols(), "or"),
			"Set dapr.io/app-protocol to what the app understands, or choose another port with dapr.io/app-port."})

		return App{}, false
	}
	owner := g.owner()
	app := App{
		AppRef:        AppRef{Namespace: g.service.Namespace, ID: g.id},
		Owner:         Owner{Object: owner.object, UID: owner.meta.GetUID()},
		Service:       g.service.Name,
		Port:          port.Port,
		Protocol:      protocol,
		LocalRedirect: g.values[AnnotationLocalRedirect] == "true",
		DaprAPI:       g.values[AnnotationDaprAPI] != "false",
		Selector:      maps.Clone(g.service.Spec.Selector),
		Dapr:          dapr(g.values),
	}
	app.Strategy, app.Replicas = r.spread(g.values, KindService)
	if callers := g.values[AnnotationCallers]; callers != "" {
		app.Callers = callersOf(callers, app.Namespace)
	}
	return app, true
}

// straight says whether a headless Service's port is the pods' own: its name resolves to pods, so the port dialled is not translated.
func straight(p corev1.ServicePort) bool {
	return p.TargetPort == intstr.IntOrString{} || p.TargetPort == intstr.FromInt32(p.Port)
}

// spread is the strategy and number of replicas of well-formed values.
func (r *resolver) spread(values map[string]string, kind string) (Strategy, int32) {
	strategy := Strategy(cmp.Or(values[AnnotationStrategy], string(defaultStrategy(kind))))
	if strategy == StrategyDaemonSet {
		return strategy, 0
	}
	if n, err := strconv.ParseInt(values[AnnotationReplicas], 10, 32); err == nil {
		return strategy, int32(n)
	}
	return strategy, r.config.Defaults.Replicas // not set: what is set was checked
}

// owner is the Service itself if it is among the members, else the oldest Deployment.
func (g *group) owner() member {
	for _, m := range g.members {
		if m.object.Kind == KindService {
			return m
		}
	}
	return g.members[0]
}

// each puts a finding about the Service on every member; on a Deployment it says which Service it means.
func (g *group) each(r *resolver, code Code, why reason) {
	for _, m := range g.members {
		said := why
		if m.object.Kind == KindDeployment && !strings.HasPrefix(why.field, "metadata.") {
			said.field = ""
			said.message = fmt.Sprintf("its %s cannot be enrolled: %s: %s", objectOfService(g.service), why.field, why.message)
		}
		r.deny(denied(m.object, code, said))
	}
}
