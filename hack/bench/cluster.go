// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/test/cluster"
	"github.com/daprise/daprise/test/controlplane"
)

// lane is a namespace in which writes meet one kind of admission.
type lane struct {
	name      string
	namespace string
	labels    map[string]string
	// as makes of a route as daprise stores it, which it may modify, the one that is created: the API server has to decode, validate and store as
	// much. Where it is nil, routes are created as their authors write them.
	as   func(*gatewayv1.HTTPRoute)
	took map[string][]time.Duration
	used map[string][]times
}

const (
	laneNothing   = "nothing"
	laneNoop      = "webhooks that do nothing"
	laneByHand    = "webhooks that do nothing, routes by hand"
	laneRewritten = "webhooks that do nothing, routes as rewritten"
	lanePolicies  = "in-tree policies"
	laneDaprise   = "daprise"
	laneAside     = "daprise, routes of a Gateway that is not enrolled"
)

func lanes() []*lane {
	exempt := func(bench string) map[string]string {
		return map[string]string{mesh.LabelAdmission: "disabled", "bench": bench}
	}
	all := []*lane{
		{name: laneNothing, namespace: "bench-nothing", labels: exempt("nothing")},
		{name: laneNoop, namespace: "bench-noop", labels: exempt("noop")},
		{name: laneByHand, namespace: "bench-by-hand", labels: exempt("noop"), as: byHand},
		{name: laneRewritten, namespace: "bench-rewritten", labels: exempt("noop"), as: func(*gatewayv1.HTTPRoute) {}},
		{name: lanePolicies, namespace: "bench-policies", labels: exempt("policies")},
		{name: laneDaprise, namespace: "bench-daprise"},
		{name: laneAside, namespace: "bench-aside"},
	}
	for _, l := range all {
		l.took, l.used = map[string][]time.Duration{}, map[string][]times{}
	}
	return all
}

// throughCluster creates objects through a kube-apiserver, in namespaces that differ in who admits. Daprise is installed as deploy/base says;
// its namespace has an enrolled app and Gateway with their policies, companions ready.
func throughCluster(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("cluster", flag.ContinueOnError)
	rounds := flags.Int("rounds", 5, "turns of each kind of admission")
	count := flags.Int("n", 400, "objects a turn")
	workers := flags.Int("workers", 8, "created at a time")
	profiles := flags.String("profiles", "", "a folder for profiles of kube-apiserver and daprise, a second of each turn")
	profilePort := flags.Int("profile-port", 6071, "where daprise serves them")
	if err := flags.Parse(args); err != nil {
		return err
	}
	deployed, err := deployedEnvironment()
	if err != nil {
		return err
	}
	options := cluster.Options{ControlPlane: controlplane.Options{Slots: controlplane.Unlimited}, ServerEnvironment: deployed}
	if *profiles != "" {
		options.ControlPlane.APIServerFlags = []string{"--profiling=true"}
		options.ServerFlags = []string{"--profile-port=" + strconv.Itoa(*profilePort)}
	}
	c, err := cluster.Start(ctx, options)
	if err != nil {
		return err
	}
	defer func() { _ = c.Stop() }()
	b := &bench{cluster: c, deployed: deployed, lanes: lanes(), count: *count, workers: *workers, profiles: *profiles, profilePort: *profilePort}
	if err := b.prepare(ctx); err != nil {
		return err
	}
	defer func() { _ = b.noop.stop() }()
	for r := range *rounds {
		for _, l := range b.lanes {
			for _, kind := range []string{"HTTPRoutes", "Services"} {
				if err := b.measure(ctx, l, kind, r); err != nil {
					return fmt.Errorf("%s, %s: %w", kind, l.name, err)
				}
			}
		}
	}
	return b.print(out)
}

type bench struct {
	cluster *cluster.Cluster
	api     client.Client
	lanes   []*lane
	noop    *process
	// rewritten is a route as daprise stores it.
	rewritten *gatewayv1.HTTPRoute
	// deployed is the environment of daprise and its peer.
	deployed []string
	count    int
	workers  int
	// profiles is a folder, or empty.
	profiles    string
	profilePort int
}

// prepare makes the namespaces and what admits in them.
func (b *bench) prepare(ctx context.Context) error {
	config := b.cluster.AdminConfig()
	config.QPS = -1
	scheme, err := cluster.Scheme()
	if err != nil {
		return err
	}
	if b.api, err = client.New(config, client.Options{Scheme: scheme}); err != nil {
		return err
	}
	if b.noop, err = startChild(ctx, serverAllow, b.deployed...); err != nil {
		return err
	}
	for _, l := range b.lanes {
		if err := b.api.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: l.namespace, Labels: l.labels}}); err != nil {
			return err
		}
	}
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: b.noop.certificate})
	hooks := strings.NewReplacer("URL", b.noop.url, "CA", base64.StdEncoding.EncodeToString(ca)).Replace(noopHooks)
	example, err := exampleOf(laneDaprise, b.lanes)
	if err != nil {
		return err
	}
	for _, manifest := range []string{hooks, inTreePolicies, example, plainExample} {
		if err := b.cluster.Apply(ctx, []byte(manifest)); err != nil {
			return err
		}
	}
	// The first route through a companion changes who may call the app, and so rolls its companion.
	first := benchRoute(metav1.ObjectMeta{Namespace: "bench-daprise", Name: "first"})
	if err := b.api.Create(ctx, first); err != nil {
		return err
	}
	if err := b.ready(ctx, "bench-daprise"); err != nil {
		return err
	}
	b.rewritten = &gatewayv1.HTTPRoute{}
	if err := b.api.Get(ctx, client.ObjectKeyFromObject(first), b.rewritten); err != nil {
		return err
	}
	return b.quiet(ctx)
}

// measure takes one turn, and waits until what follows from it is done.
func (b *bench) measure(ctx context.Context, l *lane, kind string, r int) error {
	fmt.Fprintf(os.Stderr, "bench: round %d: %s, %s\n", r+1, kind, l.name)
	before, err := timesNow()
	if err != nil {
		return err
	}
	asked, err := b.requestsNow(ctx)
	if err != nil {
		return err
	}
	profiled := b.profile(ctx, l, kind)
	took, err := b.turn(ctx, l, kind, r)
	if err := errors.Join(err, profiled.wait()); err != nil {
		return err
	}
	l.took[kind] = append(l.took[kind], took)
	if err := b.quiet(ctx); err != nil {
		return err
	}
	after, err := timesNow()
	if err != nil {
		return err
	}
	l.used[kind] = append(l.used[kind], after.since(before))
	return b.writeRequests(ctx, asked, b.profileName("requests", kind, l))
}

// turn creates one lane's objects of one round.
func (b *bench) turn(ctx context.Context, l *lane, kind string, r int) (time.Duration, error) {
	var next atomic.Int64
	var group sync.WaitGroup
	failures := make(chan error, b.workers)
	start := time.Now()
	for range b.workers {
		group.Go(func() {
			for i := next.Add(1); i <= int64(b.count); i = next.Add(1) {
				if err := b.api.Create(ctx, b.object(kind, l, fmt.Sprintf("bench-%d-%d", r, i))); err != nil {
					failures <- err
					return
				}
			}
		})
	}
	group.Wait()
	took := time.Since(start)
	close(failures)
	return took, errors.Join(collect(failures)...)
}

func collect(failures <-chan error) []error {
	var all []error
	for err := range failures {
		all = append(all, err)
	}
	return all
}

// object is what a lane creates.
func (b *bench) object(kind string, l *lane, name string) client.Object {
	meta := metav1.ObjectMeta{Namespace: l.namespace, Name: name}
	switch {
	case kind != "Services" && l.as != nil:
		route := b.rewritten.DeepCopy()
		route.ObjectMeta = meta
		route.Annotations = b.rewritten.Annotations
		l.as(route)
		path := "/" + name
		route.Spec.Rules[0].Matches[0].Path.Value = &path
		return route
	case kind != "Services":
		return benchRoute(meta)
	}
	return &corev1.Service{ObjectMeta: meta, Spec: corev1.ServiceSpec{ClusterIP: corev1.ClusterIPNone, Ports: []corev1.ServicePort{{Port: 80}}}}
}

// byHand leaves of a route what is least of all that leads it through a companion, as the seed has it: one filter, for the path, and no record.
func byHand(route *gatewayv1.HTTPRoute) {
	route.Annotations = nil
	rule := &route.Spec.Rules[0]
	rule.Filters = slices.DeleteFunc(rule.Filters, func(f gatewayv1.HTTPRouteFilter) bool { return f.Type != gatewayv1.HTTPRouteFilterURLRewrite })
}

func benchRoute(meta metav1.ObjectMeta) *gatewayv1.HTTPRoute {
	prefix, path := gatewayv1.PathMatchPathPrefix, "/"+meta.Name
	return &gatewayv1.HTTPRoute{ObjectMeta: meta, Spec: gatewayv1.HTTPRouteSpec{
		CommonRouteSpec: gatewayv1.CommonRouteSpec{ParentRefs: []gatewayv1.ParentReference{{Name: "default-gateway"}}},
		Rules: []gatewayv1.HTTPRouteRule{{
			Matches:     []gatewayv1.HTTPRouteMatch{{Path: &gatewayv1.HTTPPathMatch{Type: &prefix, Value: &path}}},
			BackendRefs: []gatewayv1.HTTPBackendRef{{BackendRef: gatewayv1.BackendRef{BackendObjectReference: gatewayv1.BackendObjectReference{Name: "whoami", Port: new(gatewayv1.PortNumber(80))}}}},
		}},
	}}
}

// ready waits until the example's companions are, so that its routes go through them.
func (b *bench) ready(ctx context.Context, namespace string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		var service corev1.Service
		if err := b.api.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "whoami"}, &service); err != nil {
			return err
		}
		for _, condition := range service.Status.Conditions {
			if condition.Type == "Meshed" && condition.Reason == "Meshed" {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the example is not meshed: %v", service.Status.Conditions)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// calmWithin is how long others may keep the machine busy before the next turn begins all the same.
const calmWithin = 10 * time.Second

// quiet waits until nobody works on the last turn's objects any more.
func (b *bench) quiet(ctx context.Context) error {
	begin := time.Now()
	for calm := 0; calm < 3 && time.Since(begin) < calmWithin; {
		before, err := busy()
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
		after, err := busy()
		if err != nil {
			return err
		}
		if calm++; after-before > 10 {
			calm = 0
		}
	}
	return nil
}

// busy is what the machine's processors have worked so far, in hundredths of a second (proc_stat(5)).
func busy() (int64, error) {
	data, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, fmt.Errorf("read the machine's load: %w", err)
	}
	var user, nice, system int64
	if _, err := fmt.Sscanf(string(data), "cpu %d %d %d", &user, &nice, &system); err != nil {
		return 0, fmt.Errorf("read the machine's load: %w", err)
	}
	return user + nice + system, nil
}

// print compares every lane with that of webhooks that do nothing, and with nothing.
func (b *bench) print(out io.Writer) error {
	byName := map[string]*lane{}
	for _, l := range b.lanes {
		byName[l.name] = l
	}
	for _, kind := range []string{"HTTPRoutes", "Services"} {
		t := newTable(out, kind, "created/s", "rate against "+laneNoop, "against "+laneNothing)
		for _, l := range b.lanes {
			rates := func(base *lane) string {
				var all []float64
				for i := range l.took[kind] {
					all = append(all, float64(base.took[kind][i])/float64(l.took[kind][i]))
				}
				return spread(all)
			}
			perSecond := medianOf(l.took[kind], func(d time.Duration) float64 { return float64(b.count) / d.Seconds() })
			t.row(l.name, fmt.Sprintf("%.0f", perSecond), rates(byName[laneNoop]), rates(byName[laneNothing]))
		}
		if err := errors.Join(t.flush(), b.printTimes(out, kind)); err != nil {
			return err
		}
	}
	return nil
}
