// SPDX-License-Identifier: Apache-2.0

//go:build browser

package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/websocket"
)

var screenshots = flag.String("screenshots", "", "folder for screenshots of the page")

// browser is a headless Chromium with one page, spoken to by its DevTools protocol.
type browser struct {
	t    *testing.T
	conn *websocket.Conn
	last int
}

// open starts Chromium, which is Debian's package chromium, on a page.
func open(t *testing.T, page string) *browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("make browser needs Chromium (Debian: apt-get install chromium): %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	cmd := exec.CommandContext(ctx, path, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
		"--remote-debugging-port=0", "--remote-allow-origins=*", "--window-size=1500,1000", "--user-data-dir="+t.TempDir(), "about:blank")
	// Chromium cannot be told to write nothing beside its data.
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	told, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was killed
	})
	b := &browser{t: t}
	lines := bufio.NewScanner(told)
	for lines.Scan() {
		if _, at, ok := strings.Cut(lines.Text(), "DevTools listening on ws://"); ok {
			host, _, _ := strings.Cut(at, "/")
			b.connect(host)
			break
		}
	}
	if b.conn == nil {
		t.Fatal("Chromium has not started")
	}
	b.call("Page.enable", nil)
	b.visit(page)
	return b
}

func (b *browser) connect(host string) {
	b.t.Helper()
	response, err := http.Get("http://" + host + "/json/list")
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var targets []struct{ Type, WebSocketDebuggerURL string }
	if err := json.NewDecoder(response.Body).Decode(&targets); err != nil {
		b.t.Fatal(err)
	}
	for _, target := range targets {
		if target.Type == "page" {
			if b.conn, err = websocket.Dial(target.WebSocketDebuggerURL, "", "http://"+host); err != nil {
				b.t.Fatal(err)
			}
			return
		}
	}
	b.t.Fatalf("no page among %v", targets)
}

// call calls a method of the protocol and waits for its answer; events in between are passed over.
func (b *browser) call(method string, params any) json.RawMessage {
	b.t.Helper()
	b.last++
	if err := websocket.JSON.Send(b.conn, map[string]any{"id": b.last, "method": method, "params": params}); err != nil {
		b.t.Fatal(err)
	}
	for {
		var answer struct {
			ID     int
			Result json.RawMessage
			Error  any
		}
		if err := websocket.JSON.Receive(b.conn, &answer); err != nil {
			b.t.Fatalf("%s: %v", method, err)
		}
		if answer.ID == b.last {
			if answer.Error != nil {
				b.t.Fatalf("%s: %v", method, answer.Error)
			}
			return answer.Result
		}
	}
}

// visit goes to a page and waits until its script has run.
func (b *browser) visit(page string) {
	b.t.Helper()
	b.call("Page.navigate", map[string]any{"url": page})
	for deadline := time.Now().Add(time.Minute); ; {
		var at string
		b.value(`document.readyState === "complete" && document.querySelector("#shown")?.textContent ? location.href : ""`, &at)
		if at == page {
			return
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("%s is not loaded but %q", page, at)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// value is what an expression has in the page.
func (b *browser) value(expression string, into any) {
	b.t.Helper()
	var answer struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails any
	}
	data := b.call("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true})
	if err := json.Unmarshal(data, &answer); err != nil {
		b.t.Fatal(err)
	}
	if answer.ExceptionDetails != nil {
		b.t.Fatalf("%s: %v", expression, answer.ExceptionDetails)
	}
	if err := json.Unmarshal(answer.Result.Value, into); err != nil {
		b.t.Fatalf("%s: %v in %s", expression, err, answer.Result.Value)
	}
}

func (b *browser) text(expression string) string {
	b.t.Helper()
	var text string
	b.value(expression, &text)
	return text
}

// click presses the mouse in the middle of an element, which is scrolled into view first.
func (b *browser) click(selector string) {
	b.t.Helper()
	var at struct{ X, Y float64 }
	b.value(fmt.Sprintf(`(() => { const e = document.querySelector(%q); e.scrollIntoView({block: "center", inline: "center"}); const r = e.getBoundingClientRect(); return {x: r.x + r.width / 2, y: r.y + r.height / 2}; })()`, selector), &at)
	for _, kind := range []string{"mousePressed", "mouseReleased"} {
		b.call("Input.dispatchMouseEvent", map[string]any{"type": kind, "x": at.X, "y": at.Y, "button": "left", "clickCount": 1})
	}
}

// write types into the element that has the focus.
func (b *browser) write(text string) { b.call("Input.insertText", map[string]any{"text": text}) }

// shot saves what is seen, where the flag asks for it.
func (b *browser) shot(name string) {
	b.t.Helper()
	if *screenshots == "" {
		return
	}
	var answer struct{ Data string }
	if err := json.Unmarshal(b.call("Page.captureScreenshot", map[string]any{"format": "png"}), &answer); err != nil {
		b.t.Fatal(err)
	}
	image, err := base64.StdEncoding.DecodeString(answer.Data)
	if err != nil {
		b.t.Fatal(err)
	}
	if err := errors.Join(os.MkdirAll(*screenshots, 0o755), os.WriteFile(filepath.Join(*screenshots, name+".png"), image, 0o600)); err != nil {
		b.t.Fatal(err)
	}
}

// page writes the picture of a mesh of n apps, of which one is open to all and one is blocked, and gives its URL.
func page(t *testing.T, n int) string {
	t.Helper()
	mesh := manyApps(n)
	mesh = strings.Replace(mesh, "metadata:\n  name: app-7-companion\n", "metadata:\n  name: app-7-nothing\n", 1)
	mesh = strings.Replace(mesh, "      dapr.io/app-id: app-7\n  ingress:\n", "      dapr.io/app-id: nobody\n  ingress:\n", 1)
	mesh += "---\napiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: block, namespace: team-0}\nspec: {endpointSelector: {matchLabels: {dapr.io/app-id: app-8}}, ingressDeny: [{fromEntities: [all]}]}\n"
	file := filepath.Join(t.TempDir(), "mesh.html")
	if err := os.WriteFile(file, []byte(execute(t, []string{"graph", "-f", "-", "-o", "html"}, mesh)), 0o600); err != nil {
		t.Fatal(err)
	}
	return (&url.URL{Scheme: "file", Path: file}).String()
}

const shownNodes = `[...document.querySelectorAll(".node")].filter(e => !e.closest(".gone")).map(e => e.id).join(" ")`

// TestPage: the page of 500 apps, in a browser: it is whole without a network, it is searched, and a box leads to what is found about it.
func TestPage(t *testing.T) {
	address := page(t, 500)
	b := open(t, address)
	var resources int
	if b.value(`performance.getEntriesByType("resource").length`, &resources); resources != 0 {
		t.Errorf("the page has loaded %d other resources", resources)
	}
	if shown := b.text(`document.querySelector("#shown").textContent`); shown != "1002 of 1002" {
		t.Errorf("shown at first: %s", shown)
	}
	b.shot("whole")

	t.Run("search", func(t *testing.T) {
		b.t = t
		b.click("#search")
		b.write("app-77")
		want := "0/infra/gw 1/infra/ingress 2/team-1/app-77 3/team-1/app-77"
		if diff := cmp.Diff(want, b.text(shownNodes)); diff != "" {
			t.Errorf("shown (-want +got):\n%s", diff)
		}
		b.shot("search")
	})
	t.Run("by state", func(t *testing.T) {
		b.t = t
		b.click(`[data-state="exposed"]`)
		if diff := cmp.Diff("0/infra/gw 1/infra/ingress 2/team-0/app-7 3/team-0/app-7", b.text(shownNodes)); diff != "" {
			t.Errorf("exposed (-want +got):\n%s", diff)
		}
		b.click(`[data-state="blocked"]`)
		if diff := cmp.Diff("0/infra/gw 1/infra/ingress 2/team-0/app-8 3/team-0/app-8", b.text(shownNodes)); diff != "" {
			t.Errorf("blocked (-want +got):\n%s", diff)
		}
		b.click(`[data-state="blocked"]`)
		if shown := b.text(`document.querySelector("#shown").textContent`); shown != "1002 of 1002" {
			t.Errorf("shown at the second click: %s", shown)
		}
	})
	t.Run("by address", func(t *testing.T) {
		b.t = t
		b.visit(address + "?q=DPR101")
		want := "0/infra/gw 1/infra/ingress 2/team-0/app-7 3/team-0/app-7"
		if diff := cmp.Diff(want, b.text(shownNodes)); diff != "" {
			t.Errorf("shown (-want +got):\n%s", diff)
		}
	})
	t.Run("of a namespace", func(t *testing.T) {
		b.t = t
		b.visit(address + "?q=team-0")
		if shown := b.text(`document.querySelector("#shown").textContent`); shown != "100 of 1002" {
			t.Errorf("shown: %s", shown)
		}
		b.shot("namespace")
		b.visit(address + "?q=DPR101")
	})
	t.Run("to findings", func(t *testing.T) {
		b.t = t
		b.click(`[id="2/team-0/app-7"]`)
		about := b.text(`document.querySelector("#about").innerText`)
		for _, want := range []string{"companion team-0/app-7", "DPR101", "is open on 50002/TCP", "kind: CiliumNetworkPolicy", "ingress companion infra/ingress (HTTPRoute app-7, exposed)"} {
			if !strings.Contains(about, want) {
				t.Errorf("%q is missing in\n%s", want, about)
			}
		}
		b.shot("findings")
	})
	t.Run("along an edge", func(t *testing.T) {
		b.t = t
		b.click("#about button")
		if about := b.text(`document.querySelector("#about h2").textContent`); about != "ingress companion infra/ingress" {
			t.Errorf("about %s", about)
		}
	})
	t.Run("blocked", func(t *testing.T) {
		b.t = t
		b.visit(address + "?q=app-8#" + url.QueryEscape("2/team-0/app-8"))
		if about := b.text(`document.querySelector("#about").innerText`); !strings.Contains(about, "blocked") {
			t.Errorf("about\n%s", about)
		}
	})
	t.Run("keyboard", func(t *testing.T) {
		b.t = t
		b.visit(address + "?q=app-9")
		var role string
		b.value(`(() => { const e = document.getElementById("3/team-0/app-9"); e.focus(); return e.getAttribute("role"); })()`, &role)
		for _, kind := range []string{"keyDown", "keyUp"} {
			b.call("Input.dispatchKeyEvent", map[string]any{"type": kind, "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13})
		}
		if about := b.text(`document.querySelector("#about h2").textContent`); about != "app team-0/app-9" || role != "button" {
			t.Errorf("about %s; the box is a %s", about, role)
		}
	})
}
