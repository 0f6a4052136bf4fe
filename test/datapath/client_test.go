// SPDX-License-Identifier: Apache-2.0

//go:build e2e && linux

package datapath

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	callerHeader = "Dapr-Caller-App-Id"
	calleeHeader = "Dapr-Callee-App-Id"
)

// request is one to the gateway, sent byte by byte as it is written here: a
// client library would clean its path.
type request struct {
	method  string // empty: GET
	host    string // empty: one that only the example's route takes
	path    string
	headers [][2]string
	body    string // with a Content-Length if there is any
	chunks  []string
	from    *corev1.Pod // nil: a client outside of the cluster
}

func (r request) dial(ctx context.Context, address string) (net.Conn, error) {
	if r.from != nil {
		return shared.Kubelet.DialFrom(ctx, r.from, address)
	}
	return (&net.Dialer{}).DialContext(ctx, "tcp", address)
}

func (r request) text() string {
	var text strings.Builder
	text.WriteString(cmp.Or(r.method, http.MethodGet) + " " + r.path + " HTTP/1.1\r\n")
	text.WriteString("Host: " + cmp.Or(r.host, "whoami.example.com") + "\r\n")
	upgrades := false
	for _, header := range r.headers {
		text.WriteString(header[0] + ": " + header[1] + "\r\n")
		upgrades = upgrades || header[0] == "Connection"
	}
	if !upgrades {
		text.WriteString("Connection: close\r\n")
	}
	switch {
	case len(r.chunks) > 0:
		text.WriteString("Transfer-Encoding: chunked\r\n\r\n")
		for _, chunk := range r.chunks {
			text.WriteString(strconv.FormatInt(int64(len(chunk)), 16) + "\r\n" + chunk + "\r\n")
		}
		text.WriteString("0\r\n\r\n")
	case r.body != "":
		text.WriteString("Content-Length: " + strconv.Itoa(len(r.body)) + "\r\n\r\n" + r.body)
	default:
		text.WriteString("\r\n")
	}
	return text.String()
}

// response is what came back, read to its end.
type response struct {
	status int
	header http.Header
	body   string
	// early is how long the head took, total the whole.
	early, total time.Duration
}

// gateway is the address at which the gateway takes requests.
func gateway(ctx context.Context) (string, error) {
	address, err := shared.ServiceAddress(ctx, client.ObjectKey{Namespace: "gateway-system", Name: "traefik"})
	return net.JoinHostPort(address, "80"), err
}

// cutByGateway counts the answers that Traefik cut: Go's httputil.ReverseProxy,
// which it is made of, closes the connection to the backend when the backend
// begins to answer while the proxy still looks for more of the request's body
// (golang/go#40747, traefik/traefik#11767). Any backend that streams its answer
// is met by that, in the mesh or not. docs/limits.md has the numbers.
var cutByGateway atomic.Int32

// send sends a request to address and reads the final response. It tries again
// where the gateway cut the answer, and counts that.
func send(ctx context.Context, address string, r request) (response, error) {
	for range 3 {
		got, err := sendOnce(ctx, address, r)
		isCut := errors.Is(err, io.ErrUnexpectedEOF) && got.status != 0 && (r.body != "" || len(r.chunks) > 0)
		if !isCut {
			return got, err
		}
		cutByGateway.Add(1)
	}
	return response{}, errors.New("the gateway cut the answer three times in a row")
}

func sendOnce(ctx context.Context, address string, r request) (response, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	began := time.Now()
	conn, err := r.dial(ctx, address)
	if err != nil {
		return response{}, err
	}
	defer func() { _ = conn.Close() }()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return response{}, err
	}
	// A server may answer and hang up before it has read everything: what it
	// answered counts.
	go func() { _, _ = io.WriteString(conn, r.text()) }()
	reader, method := bufio.NewReader(conn), cmp.Or(r.method, http.MethodGet)
	for {
		got, err := http.ReadResponse(reader, &http.Request{Method: method})
		if err != nil {
			return response{}, err
		}
		if got.StatusCode == http.StatusContinue {
			continue
		}
		early := time.Since(began)
		if got.StatusCode == http.StatusSwitchingProtocols {
			return response{status: got.StatusCode, header: got.Header, early: early, total: early}, nil
		}
		body, err := io.ReadAll(got.Body)
		_ = got.Body.Close() // read to its end
		return response{status: got.StatusCode, header: got.Header, body: string(body), early: early, total: time.Since(began)}, err
	}
}

// answer is a response of whoami; what the app says that it received is taken apart.
type answer struct {
	status   int
	body     string
	app      string // the app's name; empty if the app did not answer
	received string // the request line that the app got
	header   http.Header
}

func (a answer) String() string { return fmt.Sprintf("status %d:\n%s", a.status, a.body) }

// ask sends a request to the gateway.
func ask(ctx context.Context, r request) (answer, error) {
	address, err := gateway(ctx)
	if err != nil {
		return answer{}, err
	}
	return askAt(ctx, address, r)
}

func askAt(ctx context.Context, address string, r request) (answer, error) {
	got, err := send(ctx, address, r)
	if err != nil {
		return answer{}, err
	}
	return read(got.status, got.body), nil
}

func read(status int, body string) answer {
	a := answer{status: status, body: body, header: http.Header{}}
	name, isApp := strings.CutPrefix(body, "Name: ")
	if !isApp {
		return a
	}
	a.app, _, _ = strings.Cut(name, "\n")
	for line := range strings.Lines(body) {
		line = strings.TrimSpace(line)
		if a.received == "" {
			if strings.Contains(line, " HTTP/") {
				a.received = line
			}
			continue
		}
		if key, value, ok := strings.Cut(line, ": "); ok {
			a.header.Add(key, value)
		}
	}
	return a
}

// mustAsk fails the test where there is no answer at all.
func mustAsk(t *testing.T, r request) answer {
	t.Helper()
	a, err := ask(t.Context(), r)
	if err != nil {
		t.Fatalf("%s: %v", r.path, err)
	}
	return a
}
