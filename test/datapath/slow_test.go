// SPDX-License-Identifier: Apache-2.0

//go:build e2e && linux

package datapath

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// pause is how long a slow client or app does nothing, some times over.
const pause = 400 * time.Millisecond

// slowCase is an exchange that takes its time: what came of it past the mesh and
// through it, which docs/limits.md has in words.
type slowCase struct {
	name        string
	do          func(*slowClient) (string, error)
	plain, mesh string
}

// slowClient speaks to the gateway on one connection.
type slowClient struct {
	net.Conn
	host   string
	reader *bufio.Reader
}

func slowDial(ctx context.Context, host string) (*slowClient, error) {
	address, err := gateway(ctx)
	if err != nil {
		return nil, err
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	deadline, _ := ctx.Deadline()
	return &slowClient{Conn: conn, host: host, reader: bufio.NewReader(conn)}, conn.SetDeadline(deadline)
}

// head sends the head of a request, and more lines of it.
func (c *slowClient) head(method, path string, lines ...string) error {
	_, err := io.WriteString(c, method+" "+path+" HTTP/1.1\r\nHost: "+c.host+"\r\n"+strings.Join(append(lines, "", ""), "\r\n"))
	return err
}

// answer reads an answer to its end.
func (c *slowClient) answer() (status int, body string, err error) {
	got, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = got.Body.Close() }()
	data, err := io.ReadAll(got.Body)
	return got.StatusCode, string(data), err
}

// asked is a request without a body and its answer.
func (c *slowClient) asked(path string) (string, error) {
	if err := c.head(http.MethodGet, path); err != nil {
		return "", err
	}
	status, body, err := c.answer()
	return fmt.Sprintf("%d, %d bytes", status, len(body)), err
}

// slowly sends the pieces of a body with pauses between them.
func (c *slowClient) slowly(pieces ...string) error {
	for _, piece := range pieces {
		time.Sleep(pause)
		if _, err := io.WriteString(c, piece); err != nil {
			return err
		}
	}
	return nil
}

const tenBytes = "0123456789"

func slowBody(c *slowClient) (string, error) {
	if err := c.head(http.MethodPost, "/x?report=bytes", "Content-Length: 50"); err != nil {
		return "", err
	}
	if err := c.slowly(tenBytes, tenBytes, tenBytes, tenBytes, tenBytes); err != nil {
		return "", err
	}
	return c.text()
}

func slowChunks(c *slowClient) (string, error) {
	if err := c.head(http.MethodPost, "/x?report=bytes", "Transfer-Encoding: chunked"); err != nil {
		return "", err
	}
	const chunk = "a\r\n" + tenBytes + "\r\n"
	if err := c.slowly(chunk, chunk, chunk, chunk, chunk, "0\r\n\r\n"); err != nil {
		return "", err
	}
	return c.text()
}

// text is a short answer, whole.
func (c *slowClient) text() (string, error) {
	status, body, err := c.answer()
	return strconv.Itoa(status) + ", " + strings.TrimSpace(body), err
}

// slowHead needs as long for the head of its request as for a body.
func slowHead(c *slowClient) (string, error) {
	for _, piece := range []string{"GET /x?report=bytes HTTP/1.1\r\nHo", "st: " + c.host + "\r\nX-A: ", "b\r\n", "\r\n"} {
		time.Sleep(pause)
		if _, err := io.WriteString(c, piece); err != nil {
			return "", err
		}
	}
	return c.text()
}

// slowReader takes an answer of 16 MiB, more than all buffers on the way hold, in pieces.
func slowReader(c *slowClient) (string, error) {
	if err := c.head(http.MethodGet, "/x?size="+strconv.Itoa(16<<20)); err != nil {
		return "", err
	}
	got, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return "", err
	}
	defer func() { _ = got.Body.Close() }()
	var total int64
	for {
		time.Sleep(pause)
		n, err := io.CopyN(io.Discard, got.Body, 4<<20)
		total += n
		if errors.Is(err, io.EOF) {
			return fmt.Sprintf("%d, %d bytes", got.StatusCode, total), nil
		}
		if err != nil {
			return "", err
		}
	}
}

// waitsForContinue sends no byte of the body before it was told to.
func waitsForContinue(c *slowClient) (string, error) {
	if err := c.head(http.MethodPost, "/x?report=bytes", "Content-Length: 10", "Expect: 100-continue"); err != nil {
		return "", err
	}
	first, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return "", err
	}
	defer func() { _ = first.Body.Close() }()
	if first.StatusCode != http.StatusContinue {
		return "no 100 but " + first.Status, nil
	}
	if err := c.slowly(tenBytes); err != nil {
		return "", err
	}
	final, err := c.text()
	return "100; " + final, err
}

// idle uses its connection again after some seconds.
func idle(c *slowClient) (string, error) {
	first, err := c.asked("/x?size=10")
	if err != nil {
		return "", err
	}
	time.Sleep(5 * time.Second)
	second, err := c.asked("/x?size=20")
	return first + "; " + second, err
}

func slowApp(c *slowClient) (string, error) { return c.asked("/x?wait=8s&size=10") }

func slowCases() []slowCase {
	same := func(name, outcome string, do func(*slowClient) (string, error)) slowCase {
		return slowCase{name: name, do: do, plain: outcome, mesh: outcome}
	}
	return []slowCase{
		same("a slow head", "200, 0", slowHead),
		same("a slow body", "200, 50", slowBody),
		same("a slow body in chunks", "200, 50", slowChunks),
		same("a body that waits for 100", "100; 200, 10", waitsForContinue),
		same("a slow reader", fmt.Sprintf("200, %d bytes", 16<<20), slowReader),
		same("an app that takes 8 s", "200, 10 bytes", slowApp),
		same("an idle connection", "200, 10 bytes; 200, 20 bytes", idle),
	}
}

// Clients and apps that take their time are served through the mesh as past it.
func TestSlowness(t *testing.T) {
	echo(t)
	for _, test := range slowCases() {
		for host, want := range map[string]string{plainHost: test.plain, echoHost: test.mesh} {
			t.Run(test.name+" "+host, func(t *testing.T) {
				t.Parallel() // they wait, nearly all of the time
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				c, err := slowDial(ctx, host)
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = c.Close() }()
				got, err := test.do(c)
				if err != nil || got != want {
					t.Errorf("got %q (%v), want %q", got, err, want)
				}
			})
		}
	}
}

// leaver is a client that goes away; app is how the app knows it.
type leaver struct {
	name, app string
	until     func(*slowClient) error
}

func leavers() []leaver {
	return []leaver{
		{name: "while it waits for the answer", app: "waits", until: func(c *slowClient) error {
			return c.head(http.MethodGet, "/x?wait=30s&tell=waits-"+c.host)
		}},
		{name: "in the middle of its body", app: "sends", until: func(c *slowClient) error {
			if err := c.head(http.MethodPost, "/x?tell=sends-"+c.host, "Content-Length: 50"); err != nil {
				return err
			}
			return c.slowly(tenBytes)
		}},
		{name: "in the middle of the answer", app: "reads", until: func(c *slowClient) error {
			if err := c.head(http.MethodGet, "/x?events=100&tell=reads-"+c.host, "Accept: text/event-stream"); err != nil {
				return err
			}
			_, err := c.reader.Peek(1)
			return err
		}},
	}
}

// A client that goes away is noticed by the app, in the mesh as past it: it may
// stop what it does for it.
func TestClientsThatLeave(t *testing.T) {
	echo(t)
	for _, test := range leavers() {
		for _, host := range []string{plainHost, echoHost} {
			t.Run(test.name+" "+host, func(t *testing.T) {
				t.Parallel()
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				c, err := slowDial(ctx, host)
				if err != nil {
					t.Fatal(err)
				}
				if err := test.until(c); err != nil {
					t.Fatal(err)
				}
				time.Sleep(pause) // for the app to be reached: it tells nothing before
				if err := c.Close(); err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				eventually(ctx, t, "the app notices", func(ctx context.Context) error {
					got, err := reach(ctx, request{host: plainHost, path: "/x?left=" + test.app + "-" + host})
					if err == nil && got.body != "yes" {
						err = fmt.Errorf("%d %s", got.status, got.body)
					}
					return err
				})
				tell(t, "noticed after %d ms", time.Since(began).Milliseconds())
			})
		}
	}
}
