// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/go-logr/logr"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/daprise/daprise/webhook"
)

// BenchmarkHandler is a call without the network: what is decoded, decided and answered.
func BenchmarkHandler(b *testing.B) {
	for _, c := range handlerCases(b) {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.call(b)
			}
		})
	}
}

// handlerCase is one request to one handler.
type handlerCase struct {
	name    string
	handler http.Handler
	path    string
	body    []byte
}

func (c handlerCase) call(t testing.TB) {
	request := httptest.NewRequest(http.MethodPost, c.path, bytes.NewReader(c.body))
	request.Header.Set("Content-Type", "application/json")
	recorder := httptest.NewRecorder()
	c.handler.ServeHTTP(recorder, request)
	if recorder.Code != http.StatusOK || !bytes.Contains(recorder.Body.Bytes(), []byte(`"allowed":true`)) {
		t.Fatalf("HTTP %d: %s", recorder.Code, recorder.Body)
	}
}

func handlerCases(t testing.TB) []handlerCase {
	t.Helper()
	ctrllog.SetLogger(logr.Discard())
	// The example is found from the repository's root.
	if err := os.Chdir("../.."); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Chdir("hack/bench"); err != nil {
			t.Fatal(err)
		}
	})
	ours, err := handlerOf(serverOurs)
	if err != nil {
		t.Fatal(err)
	}
	anew, err := handlerOf(serverAnew)
	if err != nil {
		t.Fatal(err)
	}
	allow, err := handlerOf(serverAllow)
	if err != nil {
		t.Fatal(err)
	}
	mutate, validate, err := reviews(ours)
	if err != nil {
		t.Fatal(err)
	}
	return []handlerCase{
		{"allow", allow, webhook.PathMutate, mutate},
		{"mutate", ours, webhook.PathMutate, mutate},
		{"allow mutated", allow, webhook.PathValidate, validate},
		{"validate", ours, webhook.PathValidate, validate},
		{"validate anew", anew, webhook.PathValidate, validate},
	}
}
