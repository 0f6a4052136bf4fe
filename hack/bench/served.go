// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/webhook"
)

// target is one thing to call.
type target struct {
	name     string
	url      string
	body     []byte
	expected string
	// rounds are what was measured, one entry a round.
	rounds []round
}

// round is what one target did for a while.
type round struct {
	perSecond float64
	p50, p99  time.Duration
}

const (
	warmUp  = 500 * time.Millisecond
	oneCore = "GOMAXPROCS=1"
)

// served asks both servers, each a process with one core, ours in the environment that it is deployed in, for the example's HTTPRoute: connections kept alive, TLS, JSON, the decision and
// the answer. What a decision knows of the cluster is loaded beforehand. The targets take turns; each round is one turn of each.
func served(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("served", flag.ContinueOnError)
	rounds := flags.Int("rounds", 9, "turns of each target")
	length := flags.Duration("for", time.Second, "how long one turn is")
	if err := flags.Parse(args); err != nil {
		return err
	}
	handler, err := handlerOf(serverOurs)
	if err != nil {
		return err
	}
	mutate, validate, err := reviews(handler)
	if err != nil {
		return err
	}
	deployed, err := deployedEnvironment()
	if err != nil {
		return err
	}
	ours, err := startChild(ctx, serverOurs, append(deployed, oneCore)...)
	if err != nil {
		return err
	}
	anew, err := startChild(ctx, serverAnew, append(deployed, oneCore)...)
	if err != nil {
		return errors.Join(err, ours.stop())
	}
	allow, err := startChild(ctx, serverAllow, oneCore)
	if err != nil {
		return errors.Join(err, ours.stop(), anew.stop())
	}
	defer func() { _ = errors.Join(ours.stop(), anew.stop(), allow.stop()) }()
	for _, connections := range []int{8, 64} {
		targets := []*target{
			{name: "allow-only, the route", url: allow.url, body: mutate, expected: `"allowed":true`},
			{name: "mutate the route", url: ours.url + webhook.PathMutate, body: mutate, expected: `"patch":`},
			{name: "allow-only, the route as mutated", url: allow.url, body: validate, expected: `"allowed":true`},
			{name: "validate the route as mutated", url: ours.url + webhook.PathValidate, body: validate, expected: `"allowed":true`},
			{name: "validate it, coverage found anew", url: anew.url + webhook.PathValidate, body: validate, expected: `"allowed":true`},
		}
		for range *rounds {
			for _, t := range targets {
				r, err := t.turn(ctx, connections, *length)
				if err != nil {
					return fmt.Errorf("%s: %w", t.name, err)
				}
				t.rounds = append(t.rounds, r)
			}
		}
		if err := printServed(out, connections, targets); err != nil {
			return err
		}
	}
	return nil
}

// deployedEnvironment is the environment that deploy/base gives to the server.
func deployedEnvironment() ([]string, error) {
	data, err := os.ReadFile(filepath.Join("deploy", "base", "server.yaml"))
	if err != nil {
		return nil, fmt.Errorf("read the server's manifest: %w", err)
	}
	for document := range bytes.SplitSeq(data, []byte("\n---\n")) {
		deployment := &appsv1.Deployment{}
		if err := yaml.Unmarshal(document, deployment); err != nil {
			return nil, fmt.Errorf("decode the server's manifest: %w", err)
		}
		if deployment.Kind != "Deployment" {
			continue
		}
		var environment []string
		for _, variable := range deployment.Spec.Template.Spec.Containers[0].Env {
			environment = append(environment, variable.Name+"="+variable.Value)
		}
		return environment, nil
	}
	return nil, errors.New("the server's manifest has no Deployment")
}

// turn calls over a number of connections at once for a while.
func (t *target) turn(ctx context.Context, connections int, length time.Duration) (round, error) {
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections,
	}}
	defer client.CloseIdleConnections()
	var group sync.WaitGroup
	var failed atomic.Pointer[error]
	took := make([][]time.Duration, connections)
	begin := time.Now().Add(warmUp)
	end := begin.Add(length)
	for i := range connections {
		group.Go(func() {
			for ctx.Err() == nil && failed.Load() == nil {
				start := time.Now()
				if !start.Before(end) {
					return
				}
				if err := t.call(client); err != nil {
					failed.Store(&err)
					return
				}
				if start.After(begin) {
					took[i] = append(took[i], time.Since(start))
				}
			}
		})
	}
	group.Wait()
	if err := failed.Load(); err != nil {
		return round{}, *err
	}
	all := slices.Concat(took...)
	slices.Sort(all)
	return round{perSecond: float64(len(all)) / length.Seconds(), p50: at(all, .5), p99: at(all, .99)}, ctx.Err()
}

func (t *target) call(client *http.Client) error {
	response, err := client.Post(t.url, "application/json", bytes.NewReader(t.body))
	if err != nil {
		return err
	}
	answer, err := io.ReadAll(response.Body)
	if closing := response.Body.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK || !bytes.Contains(answer, []byte(t.expected)) {
		return fmt.Errorf("HTTP %d without %s: %s", response.StatusCode, t.expected, answer)
	}
	return nil
}

// printServed compares each target of ours with the allow-only one before it, round by round.
func printServed(out io.Writer, connections int, targets []*target) error {
	table := newTable(out, fmt.Sprintf("%d connections", connections), "calls/s", "ratio (least to most)", "p50", "p99", "ratio (least to most)")
	var base *target
	for _, t := range targets {
		if strings.HasPrefix(t.name, "allow-only") {
			base = t
		}
		var rates, tails []float64
		for r := range t.rounds {
			rates = append(rates, t.rounds[r].perSecond/base.rounds[r].perSecond)
			tails = append(tails, float64(t.rounds[r].p99)/float64(base.rounds[r].p99))
		}
		table.row(t.name, fmt.Sprintf("%.0f", medianOf(t.rounds, func(r round) float64 { return r.perSecond })), spread(rates),
			duration(medianOf(t.rounds, func(r round) float64 { return float64(r.p50) })),
			duration(medianOf(t.rounds, func(r round) float64 { return float64(r.p99) })), spread(tails))
	}
	return table.flush()
}
