// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/companion"
	"github.com/daprise/daprise/test/cluster"
	"github.com/daprise/daprise/test/controlplane"
)

// growth measures one replica while the cluster grows: its start, its memory, its decisions, and at last, where it leads, how long a change
// takes to reach every route. Until then another holds the lease, so that no controller works beside what is measured.
func growth(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("growth", flag.ContinueOnError)
	sizes := flags.String("sizes", "100,1000,10000", "numbers of apps, growing")
	calls := flags.Int("calls", 300, "decisions of each kind at each size")
	profile := flags.Int("profile-port", 0, "the replica's /debug/pprof; 0 for any port that is free")
	profiles := flags.String("profiles", "", "a folder for the replica's processor profiles, of some seconds of each kind of decision")
	lead := flags.Int("lead", 1000, "the size up to which the replica leads at last, where a change is written; 0 for none")
	settle := flags.Duration("settle", 0, "how long a leader has rested when its memory is measured; client-go keeps Events for six minutes, to count repeats")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *profile == 0 {
		free, err := freePort()
		if err != nil {
			return err
		}
		*profile = free
	}
	deployed, err := deployedEnvironment()
	if err != nil {
		return err
	}
	c, err := cluster.Start(ctx, cluster.Options{
		NoDaprise: true, ControlPlane: controlplane.Options{Slots: controlplane.Unlimited}, ServerFlags: []string{"--profile-port=" + strconv.Itoa(*profile)},
		ServerEnvironment: deployed,
	})
	if err != nil {
		return err
	}
	defer func() { _ = c.Stop() }()
	g := &grown{cluster: c, out: out, calls: *calls, lead: *lead, profile: *profile, profiles: *profiles, settle: *settle, random: rand.New(rand.NewPCG(9, 10000))}
	if err := g.begin(ctx); err != nil {
		return err
	}
	columns := append([]string{"apps", "start to ready", "heap", "resident"}, decided()...)
	t := newTable(out, append(columns, "heap once all was read", "heap of the leader", "a change to the last route", "heap after it", "resident")...)
	for word := range strings.SplitSeq(*sizes, ",") {
		size, err := strconv.Atoi(word)
		if err != nil {
			return fmt.Errorf("%w: %w", errUsage, err)
		}
		row, err := g.at(ctx, size)
		if err != nil {
			return fmt.Errorf("%d apps: %w\n%s", size, err, c.ServerLogEnd())
		}
		t.row(row...)
	}
	return t.flush()
}

// grown is a cluster that grows.
type grown struct {
	cluster *cluster.Cluster
	grower  *grower
	out     io.Writer
	calls   int
	size    int
	// lead is the last size at which the replica leads.
	lead int
	// profile is the port of its /debug/pprof, profiles a folder for them, or empty.
	profile  int
	profiles string
	// settle is how long a leader has rested when its memory is measured.
	settle time.Duration
	random *rand.Rand
}

func (g *grown) begin(ctx context.Context) error {
	config := g.cluster.AdminConfig()
	config.QPS = -1
	scheme, err := cluster.Scheme()
	if err != nil {
		return err
	}
	api, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return err
	}
	bundle := &corev1.ConfigMap{}
	if err := api.Get(ctx, client.ObjectKey{Namespace: "dapr-system", Name: "dapr-trust-bundle"}, bundle); err != nil {
		return err
	}
	// What makes pods of workloads stays out of it: nothing here runs.
	if err := g.cluster.StopControllerManager(); err != nil {
		return err
	}
	g.grower = &grower{api: api, input: companion.Input{Config: mesh.DefaultConfig(), TrustAnchors: bundle.Data["ca.crt"]}}
	return g.grower.begin(ctx)
}

// at grows to a size and measures there.
func (g *grown) at(ctx context.Context, size int) ([]string, error) {
	began := time.Now()
	if err := g.alone(ctx); err != nil {
		return nil, err
	}
	if err := g.grower.grow(ctx, g.size, size); err != nil {
		return nil, err
	}
	g.size = size
	_, _ = fmt.Fprintf(os.Stderr, "%d apps made in %s\n", size, time.Since(began).Round(time.Second))
	if err := g.cluster.Install(ctx); err != nil {
		return nil, err
	}
	// A replica that leaves as the leader gives the lease away, whoever holds it by then.
	if err := g.cluster.StopServer(); err != nil {
		return nil, err
	}
	if err := g.hold(ctx); err != nil {
		return nil, err
	}
	start := time.Now()
	if err := g.cluster.StartServer(ctx); err != nil {
		return nil, err
	}
	row := []string{strconv.Itoa(size), time.Since(start).Round(10 * time.Millisecond).String()}
	heap, resident, err := g.memory(ctx)
	if err != nil {
		return nil, err
	}
	row = append(row, megabytes(heap), megabytes(resident))
	for _, kind := range decided() {
		took, err := g.decide(ctx, kind)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", kind, err)
		}
		row = append(row, took.Round(time.Microsecond).String())
	}
	if heap, _, err = g.memory(ctx); err != nil {
		return nil, err
	}
	led, err := g.led(ctx)
	if err != nil {
		return nil, err
	}
	return append(append(row, megabytes(heap)), led...), g.cluster.StopServer()
}

// led is what the replica does as the leader, up to the size where it leads last: its memory at rest, and there how long a change takes to reach
// every route, and its memory then.
func (g *grown) led(ctx context.Context) ([]string, error) {
	none := []string{"-", "-", "-", "-"}
	if g.size > g.lead {
		return none, nil
	}
	if err := g.begins(ctx); err != nil {
		return nil, err
	}
	if err := waited(ctx, g.settle); err != nil {
		return nil, err
	}
	before, _, err := g.memory(ctx)
	if none[0] = megabytes(before); err != nil || g.size < g.lead {
		return none, err
	}
	took, err := g.change(ctx)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(g.rest(ctx), waited(ctx, g.settle)); err != nil {
		return nil, err
	}
	heap, resident, err := g.memory(ctx)
	return []string{none[0], took.Round(100 * time.Millisecond).String(), megabytes(heap), megabytes(resident)}, err
}

// waited is an error where the context ends before.
func waited(ctx context.Context, long time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(long):
		return nil
	}
}

// alone takes daprise's hooks and policies away, so that the cluster can be filled without it, and waits until they are not in force any more.
func (g *grown) alone(ctx context.Context) error {
	if g.size == 0 {
		return nil
	}
	_, err := g.cluster.Kubectl(ctx, "delete", "--all",
		"mutatingwebhookconfigurations,validatingwebhookconfigurations,validatingadmissionpolicies,validatingadmissionpolicybindings")
	if err != nil {
		return err
	}
	for free := 0; free < 10; free++ {
		labels := map[string]string{mesh.LabelCompanion: "guarded"}
		guarded := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: infra, Name: "guarded"}, Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "c"}}},
			},
		}}
		err := g.grower.api.Create(ctx, guarded, client.DryRunAll)
		switch {
		case apierrors.IsForbidden(err) || apierrors.IsInternalError(err):
			free = 0
		case err != nil:
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	return nil
}

// hold takes the lease, so that the replica does not lead.
func (g *grown) hold(ctx context.Context) error {
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: mesh.SystemNamespace, Name: "daprise-webhook"}}
	if err := g.grower.api.Delete(ctx, lease); err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	lease.Spec = coordinationv1.LeaseSpec{
		HolderIdentity: new("bench"), LeaseDurationSeconds: new(int32(24 * 3600)), RenewTime: new(metav1.NowMicro()), AcquireTime: new(metav1.NowMicro()),
	}
	return g.grower.api.Create(ctx, lease)
}

// memory is the least that the replica's heap holds after collections in some ten seconds, in which a leader's sweep begins and ends, and what
// the process held before them, in bytes.
func (g *grown) memory(ctx context.Context) (heap, resident float64, err error) {
	before, err := g.metrics(ctx)
	if err != nil {
		return 0, 0, err
	}
	for range 5 {
		now, err := g.collected(ctx)
		if err != nil {
			return 0, 0, err
		}
		if heap == 0 || now < heap {
			heap = now
		}
		select {
		case <-ctx.Done():
			return 0, 0, ctx.Err()
		case <-time.After(2 * time.Second):
		}
	}
	return heap, before["process_resident_memory_bytes"], nil
}

// collected is what the heap holds just after two collections. The profile tells it as it was before the profile itself was made.
func (g *grown) collected(ctx context.Context) (float64, error) {
	var text []byte
	for range 2 {
		var err error
		if text, err = fetched(ctx, http.DefaultClient, fmt.Sprintf("http://127.0.0.1:%d/debug/pprof/heap?gc=1&debug=1", g.profile)); err != nil {
			return 0, err
		}
	}
	_, rest, _ := bytes.Cut(text, []byte("# HeapAlloc = "))
	value, _, _ := bytes.Cut(rest, []byte("\n"))
	heap, err := strconv.ParseFloat(string(value), 64)
	if err != nil {
		return 0, fmt.Errorf("read the heap's size: %w", err)
	}
	return heap, nil
}

// freePort is one that nothing listens on now.
func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	_, text, err := net.SplitHostPort(listener.Addr().String())
	if err = errors.Join(err, listener.Close()); err != nil {
		return 0, err
	}
	return strconv.Atoi(text)
}

// metrics are the replica's, those without labels by name and those with labels summed.
func (g *grown) metrics(ctx context.Context) (map[string]float64, error) {
	text, err := fetched(ctx, http.DefaultClient, g.cluster.MetricsURL())
	if err != nil {
		return nil, err
	}
	values := map[string]float64{}
	for line := range strings.Lines(string(text)) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || strings.HasPrefix(name, "#") {
			continue
		}
		name, _, _ = strings.Cut(name, "{")
		if number, err := strconv.ParseFloat(value[strings.LastIndexByte(value, ' ')+1:], 64); err == nil {
			values[name] += number
		}
	}
	return values, nil
}

func megabytes(bytes float64) string { return fmt.Sprintf("%.1f MB", bytes/(1<<20)) }

func untyped(content map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: content}
}
