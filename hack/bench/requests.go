// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// requests are how often kube-apiserver was asked for what so far: "PATCH httproutes", "PUT deployments/status".
type requests map[string]float64

// requestsNow reads kube-apiserver's own count, if it is to be written.
func (b *bench) requestsNow(ctx context.Context) (requests, error) {
	if b.profiles == "" {
		return nil, nil
	}
	text, err := b.fromAPIServer(ctx, "/metrics")
	if err != nil {
		return nil, fmt.Errorf("count requests: %w", err)
	}
	labelOf := regexp.MustCompile(`(verb|resource|subresource)="([^"]*)"`)
	all := requests{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "apiserver_request_total{") {
			continue
		}
		labels := map[string]string{}
		for _, match := range labelOf.FindAllStringSubmatch(line, -1) {
			labels[match[1]] = match[2]
		}
		count, err := strconv.ParseFloat(line[strings.LastIndexByte(line, ' ')+1:], 64)
		if err != nil {
			return nil, fmt.Errorf("count requests: %w", err)
		}
		what := labels["verb"] + " " + labels["resource"]
		if labels["subresource"] != "" {
			what += "/" + labels["subresource"]
		}
		all[what] += count
	}
	return all, nil
}

// writeRequests writes what was asked for since into a file among the profiles.
func (b *bench) writeRequests(ctx context.Context, before requests, file string) error {
	if b.profiles == "" {
		return nil
	}
	now, err := b.requestsNow(ctx)
	if err != nil {
		return err
	}
	return now.writeSince(before, file, b.count)
}

// writeSince writes what was asked for since, of each what one object of the turn comes to.
func (r requests) writeSince(before requests, file string, objects int) error {
	var lines []string
	for what, now := range r {
		if now > before[what] {
			lines = append(lines, fmt.Sprintf("%8.3f %s\n", (now-before[what])/float64(objects), what))
		}
	}
	slices.Sort(lines)
	slices.Reverse(lines)
	return os.WriteFile(file, []byte(strings.Join(lines, "")), 0o644)
}
