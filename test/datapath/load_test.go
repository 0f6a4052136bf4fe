// SPDX-License-Identifier: Apache-2.0

//go:build e2e && linux

package datapath

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// rate of load: bounded, so that the machine is not what is tested.
const rate = 50 // requests a second

// load sends requests to the gateway until it is stopped, as a client does
// that keeps its connections.
type load struct {
	stop context.CancelFunc
	done chan struct{}

	mu       sync.Mutex
	sent     int
	throughs int // answered through companions
	failures []string
}

func startLoad(t *testing.T) *load { return startLoadAt(t, "whoami.example.com") }

func startLoadAt(t *testing.T, host string) *load {
	t.Helper()
	address, err := gateway(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	l := &load{stop: cancel, done: make(chan struct{})}
	go l.run(ctx, address, host)
	return l
}

func (l *load) run(ctx context.Context, address, host string) {
	defer close(l.done)
	client := &http.Client{
		Timeout:   15 * time.Second,
		Transport: &http.Transport{MaxIdleConnsPerHost: rate},
	}
	defer client.CloseIdleConnections()
	ticker := time.NewTicker(time.Second / rate)
	defer ticker.Stop()
	var all sync.WaitGroup
	defer all.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			all.Go(func() { l.once(client, address, host) })
		}
	}
}

// once does not end with the load: a request under way is answered or counted.
func (l *load) once(client *http.Client, address, host string) {
	began := time.Now()
	body, err := fetch(client, address, host)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent++
	if err != nil {
		l.failures = append(l.failures, fmt.Sprintf("%s, after %s: %v", began.Format("15:04:05.000"), time.Since(began).Round(time.Millisecond), err))
		return
	}
	if strings.Contains(body, callerHeader) {
		l.throughs++
	}
}

func fetch(client *http.Client, address, host string) (string, error) {
	// A client that tries again by itself would hide what is lost: net/http does
	// so for GET on a reused connection, so this is a POST. It has no body, since
	// the gateway cuts some answers to requests that have one (cutByGateway).
	request, err := http.NewRequest(http.MethodPost, "http://"+address+"/load", http.NoBody)
	if err != nil {
		return "", err
	}
	request.Host = host
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return "", err
	}
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %.200s", response.Status, body)
	}
	return string(body), nil
}

// counts are the load's numbers so far.
func (l *load) counts() (sent, throughs, failed int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sent, l.throughs, len(l.failures)
}

// stopped stops the load and tells its numbers.
func (l *load) stopped(t *testing.T) (failed int) {
	t.Helper()
	l.stop()
	<-l.done
	sent, throughs, failed := l.counts()
	tell(t, "%d requests, %d of them through companions, %d lost", sent, throughs, failed)
	if sent == 0 {
		t.Error("nothing was sent")
	}
	return failed
}

// tell writes a number that is worth reading also where all is well.
func tell(t *testing.T, format string, args ...any) {
	t.Helper()
	t.Logf(format, args...)
	_, _ = fmt.Fprintf(os.Stderr, "datapath: "+t.Name()+": "+format+"\n", args...)
}

// end stops the load and fails the test for every request that was lost.
func (l *load) end(t *testing.T) {
	t.Helper()
	failed := l.stopped(t)
	for i, failure := range l.failures {
		if i == 10 {
			t.Errorf("and %d more", failed-i)
			break
		}
		t.Error(failure)
	}
}
