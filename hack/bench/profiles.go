// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
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
	p.group.Go(func() { p.errors <- b.fetchDaprise(ctx, b.profileName("daprise", kind, l)+".pb.gz") })
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
	config := b.cluster.AdminConfig()
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return fmt.Errorf("profile kube-apiserver: %w", err)
	}
	return fetch(ctx, client, download{config.Host + profilePath, file})
}

func (b *bench) fetchDaprise(ctx context.Context, file string) error {
	return fetch(ctx, http.DefaultClient, download{fmt.Sprintf("http://127.0.0.1:%d%s", b.profilePort, profilePath), file})
}

type download struct{ url, file string }

func fetch(ctx context.Context, client *http.Client, d download) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url, http.NoBody)
	if err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("profile: %s says %s", d.url, response.Status)
	}
	out, err := os.Create(d.file)
	if err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	_, err = out.ReadFrom(response.Body)
	if closed := out.Close(); err == nil {
		err = closed
	}
	return err
}
