// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
)

// telling is an API server that answers a watch with events, or refuses it.
type telling struct {
	events []watch.Event
	err    error
	since  *string
}

func (a telling) Watch(_ context.Context, _ client.ObjectList, opts ...client.ListOption) (watch.Interface, error) {
	var options client.ListOptions
	options.ApplyOptions(opts)
	*a.since = options.Raw.ResourceVersion
	if a.err != nil {
		return nil, a.err
	}
	w := watch.NewFakeWithChanSize(len(a.events), false)
	for _, event := range a.events {
		w.Action(event.Type, event.Object)
	}
	w.Stop()
	return w, nil
}

func TestMissed(t *testing.T) {
	expired := &metav1.Status{Status: metav1.StatusFailure, Code: http.StatusGone, Reason: metav1.StatusReasonExpired}
	broken := errors.New("connection refused")
	policy := &ciliumv2.CiliumNetworkPolicy{}
	for _, c := range []struct {
		name   string
		api    telling
		missed bool
		err    bool
	}{
		{"nothing has changed", telling{}, false, false},
		{"only a bookmark", telling{events: []watch.Event{{Type: watch.Bookmark, Object: policy}}}, false, false},
		{"a policy was deleted", telling{events: []watch.Event{{Type: watch.Bookmark, Object: policy}, {Type: watch.Deleted, Object: policy}}}, true, false},
		{"the version is too old", telling{events: []watch.Event{{Type: watch.Error, Object: expired}}}, true, false},
		{"the API server fails", telling{events: []watch.Event{{Type: watch.Error, Object: &metav1.Status{Code: http.StatusInternalServerError}}}}, false, true},
		{"no API server", telling{err: broken}, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, _ := watching(t, serving{})
			since := ""
			c.api.since = &since
			d := doubter{watcher: w, api: c.api, log: logr.Discard(), every: time.Minute}
			missed, err := d.missed(t.Context(), kindCiliumPolicy, "17")
			if missed != c.missed || (err != nil) != c.err {
				t.Errorf("missed %v, %v", missed, err)
			}
			if since != "17" {
				t.Errorf("asked from version %q", since)
			}
		})
	}
}
