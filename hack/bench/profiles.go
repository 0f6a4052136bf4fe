// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"k8s.io/client-go/rest"
)

// profiled is a turn under way of which the first seconds are profiled: where kube-apiserver's and daprise's time goes.
type profiled struct {
	group  sync.WaitGroup
	errors chan error
}

// profile begins to fetch the profiles of one turn into a folder; without a folder it does nothing.
func (b *bench) profile(ctx context.Context, l *lane, kind string) *profiled {
	p := &profiled{errors: make(chan error, 2)}
	if b.profiles == "" {
		return p
	}
	p.group.Go(func() { p.errors <- b.fetchAPIServer(ctx, b.profileName("kube-apiserver", kind, l)+".pb.gz") })
	p.group.Go(func() { p.errors <- fetchReplica(ctx, b.profilePort, b.profileName("daprise", kind, l)+".pb.gz") })
	return p
}

// profileOf begins to fetch the profile of a kind of decision into a folder; without a folder it does nothing.
func (g *grown) profileOf(ctx context.Context, kind string) *profiled {
	p := &profiled{errors: make(chan error, 1)}
	if g.profiles == "" {
		return p
	}
	file := filepath.Join(g.profiles, strings.ReplaceAll(fmt.Sprintf("%d apps %s.pb.gz", g.size, kind), " ", "-"))
	p.group.Go(func() { p.errors <- fetchReplica(ctx, g.profile, file) })
	return p
}

func (p *profiled) wait() error {
	p.group.Wait()
	close(p.errors)
	for err := range p.errors {
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) profileName(program, kind string, l *lane) string {
	return filepath.Join(b.profiles, strings.ReplaceAll(program+" "+kind+" "+l.name, " ", "-"))
}

// profilePath is net/http/pprof's, for as short as a turn takes.
const profilePath = "/debug/pprof/profile?seconds=1"

func (b *bench) fetchAPIServer(ctx context.Context, file string) error {
	profile, err := b.fromAPIServer(ctx, profilePath)
	if err != nil {
		return err
	}
	return os.WriteFile(file, profile, 0o644)
}

// fetchReplica writes the profile of a daprise that serves it on a port of this machine.
func fetchReplica(ctx context.Context, port int, file string) error {
	profile, err := fetched(ctx, http.DefaultClient, fmt.Sprintf("http://127.0.0.1:%d%s", port, profilePath))
	if err != nil {
		return err
	}
	return os.WriteFile(file, profile, 0o644)
}

// fromAPIServer is what kube-apiserver serves at a path.
func (b *bench) fromAPIServer(ctx context.Context, path string) ([]byte, error) {
	config := b.cluster.AdminConfig()
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	return fetched(ctx, client, config.Host+path)
}

// fetched is what a server answers with, if that is a success.
func fetched(ctx context.Context, client *http.Client, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s says %s", url, response.Status)
	}
	return text, nil
}
