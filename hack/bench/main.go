// SPDX-License-Identifier: Apache-2.0

// Command bench measures served admission: the example's HTTPRoute over TLS, against controller-runtime's handler that allows
// everything. Both are asked in turn, request by request, so that a busy machine disturbs both alike; what counts are the ratios.
//
//	go run ./hack/bench
//	go run ./hack/bench -n 5000
//
// What is measured is a call from the first byte to the last: connection kept alive, TLS, JSON, the decision and the answer. What a
// decision knows of the cluster is loaded beforehand.
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/daprise/daprise/webhook"
)

func main() {
	n := flag.Int("n", 2000, "calls of each kind")
	flag.Parse()
	if err := run(*n, os.Stdout); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// target is one thing to call.
type target struct {
	name     string
	url      string
	body     []byte
	expected string
	took     []time.Duration
}

const warmUp = 200

func run(n int, out io.Writer) error {
	world, err := example()
	if err != nil {
		return err
	}
	edge, err := webhook.New(webhook.Options{
		Worlds: static{world}, Config: world.View.Config, Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(),
	})
	if err != nil {
		return fmt.Errorf("set up admission: %w", err)
	}
	ours := serve(edge.Handler())
	defer ours.Close()
	allow := serve(&admission.Webhook{Handler: admission.HandlerFunc(func(context.Context, admission.Request) admission.Response {
		return admission.Allowed("")
	})})
	defer allow.Close()
	mutate, validate, err := reviews(edge.Handler())
	if err != nil {
		return err
	}
	targets := []*target{
		{name: "allow-only, the route", url: allow.URL, body: mutate, expected: `"allowed":true`},
		{name: "mutate the route", url: ours.URL + webhook.PathMutate, body: mutate, expected: `"patch":`},
		{name: "allow-only, the route as mutated", url: allow.URL, body: validate, expected: `"allowed":true`},
		{name: "validate the route as mutated", url: ours.URL + webhook.PathValidate, body: validate, expected: `"allowed":true`},
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	for i := range n + warmUp {
		for _, t := range targets {
			took, err := t.call(client)
			if err != nil {
				return fmt.Errorf("%s: %w", t.name, err)
			}
			if i >= warmUp {
				t.took = append(t.took, took)
			}
		}
	}
	return print(out, targets)
}

// serve serves over TLS 1.3 and HTTP/1.1, as daprise-webhook does.
func serve(handler http.Handler) *httptest.Server {
	server := httptest.NewUnstartedServer(handler)
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS13}
	server.StartTLS()
	return server
}

func (t *target) call(client *http.Client) (time.Duration, error) {
	start := time.Now()
	response, err := client.Post(t.url, "application/json", bytes.NewReader(t.body))
	if err != nil {
		return 0, err
	}
	answer, err := io.ReadAll(response.Body)
	if closing := response.Body.Close(); err == nil {
		err = closing
	}
	took := time.Since(start)
	if err != nil {
		return 0, err
	}
	if response.StatusCode != http.StatusOK || !bytes.Contains(answer, []byte(t.expected)) {
		return 0, fmt.Errorf("HTTP %d without %s: %s", response.StatusCode, t.expected, answer)
	}
	return took, nil
}

// print compares each call of ours with the allow-only call before it.
func print(out io.Writer, targets []*target) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(format string, args ...any) {
		_, _ = fmt.Fprintf(w, format+"\t\n", args...)
	}
	row("call\tp50\tratio\tp99\tratio\tbody")
	for i, t := range targets {
		slices.Sort(t.took)
		base := targets[i-i%2]
		row("%s\t%s\t%.2f\t%s\t%.2f\t%d B", t.name,
			at(t.took, .5).Round(time.Microsecond), ratio(at(t.took, .5), at(base.took, .5)),
			at(t.took, .99).Round(time.Microsecond), ratio(at(t.took, .99), at(base.took, .99)), len(t.body))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// at is a quantile of sorted durations.
func at(sorted []time.Duration, quantile float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[int(float64(len(sorted)-1)*quantile)]
}

func ratio(a, b time.Duration) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}
