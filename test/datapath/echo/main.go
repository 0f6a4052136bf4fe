// SPDX-License-Identifier: Apache-2.0

// Command echo is an app that tells exactly what reached it, so that a request
// that went through the mesh can be compared with one that did not.
package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"
)

// Seen is what reached the app.
type Seen struct {
	App              string      `json:"app"`
	Method           string      `json:"method"`
	URI              string      `json:"uri"`
	Proto            string      `json:"proto"`
	Host             string      `json:"host"`
	Header           http.Header `json:"header"`
	BodyBytes        int64       `json:"bodyBytes"`
	BodySHA256       string      `json:"bodySHA256"`
	ContentLength    int64       `json:"contentLength"`
	TransferEncoding []string    `json:"transferEncoding"`
}

func main() {
	// No ServeMux: it would clean paths.
	handler := http.HandlerFunc((&book{left: map[string]bool{}}).answer)
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Addr: ":8080", Handler: handler, Protocols: &protocols, ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 1 << 20}
	slog.Error("echo stops", "error", server.ListenAndServe())
	os.Exit(1)
}

// book has the exchanges whose client left before they were over, by the name that the query gave them.
type book struct {
	mu   sync.Mutex
	left map[string]bool
}

func (b *book) leave(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left[name] = true
}

// speaks answers for the book, and for the clock: the query can ask whether a client left, for the size of its own body alone, and
// for time to pass before the answer. It says whether it has answered.
func (b *book) speaks(w http.ResponseWriter, r *http.Request, bytes int64) bool {
	query := r.URL.Query()
	if name := query.Get("left"); name != "" {
		b.mu.Lock()
		defer b.mu.Unlock()
		_, _ = io.WriteString(w, map[bool]string{true: "yes", false: "no"}[b.left[name]])
		return true
	}
	if query.Get("report") == "bytes" {
		_, _ = fmt.Fprintln(w, bytes)
		return true
	}
	wait, err := time.ParseDuration(query.Get("wait"))
	if err != nil {
		return false
	}
	select {
	case <-time.After(wait):
		return false
	case <-r.Context().Done():
		b.leave(query.Get("tell"))
		return true
	}
}

// answer tells what it saw. The query can ask for a status, response headers,
// a body of a size, or a stream of events.
func (b *book) answer(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") != "" {
		upgrade(w, r.Header.Get("Upgrade"))
		return
	}
	query := r.URL.Query()
	hash := sha256.New()
	n, err := io.Copy(hash, r.Body)
	if err != nil {
		b.leave(query.Get("tell"))
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if b.speaks(w, r, n) {
		return
	}
	for _, header := range query["set"] {
		w.Header().Add("X-Set", header)
	}
	if query.Get("events") != "" {
		events(w, query.Get("events"))
		if r.Context().Err() != nil {
			b.leave(query.Get("tell"))
		}
		return
	}
	seen := Seen{
		App: "echo", Method: r.Method, URI: r.RequestURI, Proto: r.Proto, Host: r.Host, Header: r.Header,
		BodyBytes: n, BodySHA256: hex.EncodeToString(hash.Sum(nil)), ContentLength: r.ContentLength, TransferEncoding: r.TransferEncoding,
	}
	w.Header().Set("Content-Type", "application/json")
	if status, err := strconv.Atoi(query.Get("status")); err == nil {
		w.WriteHeader(status)
	}
	if size, err := strconv.Atoi(query.Get("size")); err == nil {
		_, _ = w.Write(make([]byte, size)) // a client that left has no use for an error
		return
	}
	_ = json.NewEncoder(w).Encode(seen)
}

// events sends that many, 300 ms apart.
func events(w http.ResponseWriter, count string) {
	w.Header().Set("Content-Type", "text/event-stream")
	n, _ := strconv.Atoi(count)
	controller := http.NewResponseController(w)
	for i := range n {
		_, _ = fmt.Fprintf(w, "data: %d\n\n", i)
		if controller.Flush() != nil {
			return
		}
		time.Sleep(300 * time.Millisecond)
	}
}

// upgrade switches to whatever protocol is asked for, and echoes in it.
func upgrade(w http.ResponseWriter, protocol string) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer func() { _ = conn.Close() }()
	_, _ = fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", protocol)
	_, _ = io.Copy(conn, buffered)
}
