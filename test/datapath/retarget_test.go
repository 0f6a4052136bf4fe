// SPDX-License-Identifier: Apache-2.0

//go:build e2e && linux

package datapath

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

const headerHost = "header.example.com"

// attacked installs what testdata/attacks.yaml has, once.
func attacked(t *testing.T) {
	t.Helper()
	echo(t)
	if err := installAttacked(); err != nil {
		t.Fatal(err)
	}
}

//nolint:gochecknoglobals // as installEcho
var installAttacked = sync.OnceValue(func() error {
	ctx, cancel := context.WithTimeout(context.Background(), enrolLimit)
	defer cancel()
	if err := appliedFile(ctx, "attacks.yaml"); err != nil {
		return err
	}
	if err := shared.WaitDeployment(ctx, client.ObjectKey{Namespace: namespace, Name: "private-dapr"}); err != nil {
		return err
	}
	return shared.Eventually(ctx, "the route in header form leads to echo", func(ctx context.Context) error {
		if err := routeLeadsTo(ctx, "echo-header", ingressName); err != nil {
			return err
		}
		got, err := reach(ctx, request{host: headerHost, path: "/"})
		if err == nil && got.app != "echo" {
			err = fmt.Errorf("no route yet: %d %s", got.status, got.body)
		}
		return err
	})
})

// reached is what became of a request that may have got to another app than the route's.
type reached struct {
	app    string // empty: none
	status int
	body   string
	seen   seen // of echo
}

func reach(ctx context.Context, r request) (reached, error) {
	address, err := gateway(ctx)
	if err != nil {
		return reached{}, err
	}
	got, err := send(ctx, address, r)
	if err != nil {
		return reached{}, err
	}
	a := reached{status: got.status, body: got.body}
	if err := json.Unmarshal([]byte(got.body), &a.seen); err == nil && a.seen.App != "" {
		a.app = a.seen.App
		return a, nil
	}
	if read(got.status, got.body).app != "" {
		a.app = "whoami"
	}
	return a, nil
}

// basic is the Authorization header by which Dapr lets a client name its target
// (dapr pkg/api/http/directmessaging.go).
func basic(user, app string) [2]string {
	return [2]string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+app))}
}

// By Basic authorization a client can aim a rule in prefix form at another app,
// and DPR211 says at which: those that the ingress companion may call, and no
// others. In header form it can aim at nothing, and the app gets the header.
func TestBasicAuthorizationAsATarget(t *testing.T) {
	attacked(t)
	const prefixHost = "whoami.example.com"
	for _, test := range []struct {
		name, host, user, aim string
		want                  string // the app that is reached
		drops                 bool   // by policy
	}{
		{name: "prefix form, an app that the companion may call", host: prefixHost, user: "dapr-app-id", aim: "echo.default", want: "echo"},
		{name: "prefix form, the same without a namespace", host: prefixHost, user: "Dapr-App-ID", aim: "echo", want: "echo"},
		{name: "prefix form, an app that it may not call", host: prefixHost, user: "dapr-app-id", aim: "private.default", drops: true},
		{name: "prefix form, an app that there is not", host: prefixHost, user: "dapr-app-id", aim: "nobody.default"},
		{name: "prefix form, the companion itself", host: prefixHost, user: "dapr-app-id", aim: "ingress"},
		{name: "prefix form, a URL", host: prefixHost, user: "dapr-app-id", aim: "http://echo-plain.default", want: "whoami"},
		{name: "prefix form, a URL in another spelling", host: prefixHost, user: "dapr-app-id", aim: "http%3A%2F%2Fecho-plain.default"},
		{name: "prefix form, somebody's password", host: prefixHost, user: "me", aim: "echo.default", want: "whoami"},
		{name: "header form, another app", host: headerHost, user: "dapr-app-id", aim: "whoami.default", want: "echo"},
		{name: "header form, an app that the companion may not call", host: headerHost, user: "dapr-app-id", aim: "private.default", want: "echo"},
		{name: "header form, a URL", host: headerHost, user: "dapr-app-id", aim: "http://echo-plain.default", want: "echo"},
	} {
		t.Run(test.name, func(t *testing.T) {
			header := basic(test.user, test.aim)
			// A call that policy drops is not answered for long: daprd tries it four times.
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			got, err := reach(ctx, request{host: test.host, path: "/x", headers: [][2]string{header}})
			if test.drops && errors.Is(err, os.ErrDeadlineExceeded) {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.app != test.want {
				t.Errorf("reached %q, want %q: %d %s", got.app, test.want, got.status, got.body)
			}
			if test.want == "" && got.status < 400 {
				t.Errorf("status %d: %s", got.status, got.body)
			}
			if test.host == headerHost && got.seen.Header.Get("Authorization") != header[1] {
				t.Errorf("the app got Authorization %q, want %q", got.seen.Header.Get("Authorization"), header[1])
			}
		})
	}
}

// What a client can do by that, the author of the route is told: the apps it can be
// aimed at by name, and no others.
func TestWarningOfBasicAuthorization(t *testing.T) {
	attacked(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	warning := func(route string) string {
		var text string
		eventually(ctx, t, "admission of "+route, func(ctx context.Context) error {
			out, err := shared.Kubectl(ctx, "annotate", "--overwrite", "--dry-run=server", "httproute", route, "touched="+time.Now().Format(time.RFC3339Nano))
			text = out.Stderr
			return err
		})
		return text
	}
	// Which others the Gateway's routes go to depends on the tests before this one.
	const start, end = "Warning: a client can aim this rule to app \"whoami.default\" at ", " by an Authorization header [DPR211] (daprise explain DPR211)\n"
	got := warning("whoami-route")
	named, ends := strings.CutSuffix(strings.TrimPrefix(got, start), end)
	if !strings.HasPrefix(got, start) || !ends {
		t.Fatalf("want a text that starts with %q and ends with %q, got %q", start, end, got)
	}
	apps := strings.Split(named, ", ")
	if !slices.Contains(apps, "echo.default") || slices.Contains(apps, "private.default") || slices.Contains(apps, "whoami.default") {
		t.Errorf("want echo.default, which the companion may call, and neither private.default nor the rule's own app, got %q", apps)
	}
	if got := warning("echo-header"); strings.Contains(got, "DPR211") {
		t.Errorf("a route in header form is warned of: %s", got)
	}
}

// Whatever is done to the path, it stays a path of the route's own app.
func TestPathsDoNotAim(t *testing.T) {
	attacked(t)
	const up = "/../../../.."
	for _, host := range []string{"whoami.example.com", headerHost} {
		for _, path := range []string{
			"/v1.0/invoke/private.default/method/x",
			"/method/x",
			up + "/private.default/method/x",
			up + "/invoke/private.default/method/x",
			strings.ReplaceAll(up, "..", "%2e%2e") + "/v1.0/invoke/private.default/method/x",
			strings.ReplaceAll(up, "/", "%2f") + "%2fv1.0%2finvoke%2fprivate.default%2fmethod%2fx",
			strings.ReplaceAll(up, "/..", "/%252e%252e") + "/v1.0/invoke/private.default/method/x",
			strings.ReplaceAll(up, "/", "%5c") + "%5cprivate.default%5cmethod%5cx",
			"/..;/..;/private.default/method/x",
			"//private.default//method//x",
			"/http%3A%2F%2Fecho-plain.default/method/x",
			up + "/http:%2F%2Fecho-plain.default/method/x",
		} {
			t.Run(host+" "+path, func(t *testing.T) {
				got, err := reach(t.Context(), request{host: host, path: path})
				if err != nil {
					t.Fatal(err)
				}
				own := map[string]string{"whoami.example.com": "whoami", headerHost: "echo"}[host]
				if got.app != own && (got.app != "" || got.status < http.StatusBadRequest) {
					t.Errorf("reached %q, want %q or nobody: %d %s", got.app, own, got.status, got.body)
				}
				if callee := got.seen.Header.Get(calleeHeader); got.app == "echo" && callee != "echo" {
					t.Errorf("the callee is %q", callee)
				}
			})
		}
	}
}
