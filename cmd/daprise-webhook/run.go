// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/daprise/daprise/controller"
	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/webhook"
	"github.com/daprise/daprise/webhook/hooks"
)

const (
	lease = "daprise-webhook"
	// requestsPerSecond and requestsAtOnce bound what we ask of the API server; its own fairness does the rest.
	requestsPerSecond = 100
	requestsAtOnce    = 200
)

// run serves until ctx is done.
func run(ctx context.Context, s settings, log *slog.Logger) error {
	config, err := readConfig(s.config)
	if err != nil {
		return err
	}
	if config.Dapr.Encryption == mesh.EncryptionCilium {
		log.Warn("companions run without Dapr's mTLS: Dapr does not know who calls, and Cilium deprecates mutual authentication", "setting", "dapr.encryption", "value", config.Dapr.Encryption)
	}
	api, err := clientcmd.BuildConfigFromFlags("", s.kubeconfig)
	if err != nil {
		return fmt.Errorf("reach the API server: %w", err)
	}
	api.QPS, api.Burst = requestsPerSecond, requestsAtOnce
	logger := logr.FromSlogHandler(log.Handler())
	ctrl.SetLogger(logger)
	klog.SetLogger(logger)
	mgr, err := newManager(s, config, api, logger)
	if err != nil {
		return err
	}
	loader, err := controller.Setup(mgr, controller.Options{Config: config, Namespace: s.namespace, Registerer: mgr.gauges})
	if err != nil {
		return fmt.Errorf("set up the controllers: %w", err)
	}
	edge, err := webhook.New(webhook.Options{Worlds: loader, Config: config, Log: log, Metrics: metrics.Registry})
	if err != nil {
		return fmt.Errorf("set up admission: %w", err)
	}
	certificates, err := setUpCertificates(mgr, s, api)
	if err != nil {
		return err
	}
	repair := &repairer{client: mgr.GetClient(), live: mgr.GetAPIReader(), exempt: config.ExemptNamespaces, mends: s.tls == tlsSelf, told: map[string]string{}, log: log}
	if err := setUpWatch(mgr, s, repair); err != nil {
		return err
	}
	srv, err := listen(s, edge.Handler(), certificates.GetCertificate, log)
	if err != nil {
		return err
	}
	if err := serveProbes(mgr, s.address(s.healthPort), map[string]healthz.Checker{
		"admission":   func(*http.Request) error { return srv.check() },
		"caches":      loader.ReadyCheck,
		"certificate": func(*http.Request) error { return certificates.check() },
	}, log); err != nil {
		return err
	}
	return together(ctx, mgr, srv)
}

// setUpWatch has the leader watch over what the API server is told of us: that it asks us, and what it asks.
func setUpWatch(mgr *halves, s settings, repair *repairer) error {
	if err := repair.setup(mgr); err != nil {
		return err
	}
	return setUpProof(mgr, s, repair.log, mgr.gauges)
}

func readConfig(path string) (mesh.Config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return mesh.Config{}, fmt.Errorf("read the config file: %w", err)
	}
	config, err := mesh.ParseConfig(data)
	if err != nil {
		return mesh.Config{}, fmt.Errorf("config file %s: %w", path, err)
	}
	return config, nil
}

func newManager(s settings, config mesh.Config, api *rest.Config, logger logr.Logger) (*halves, error) {
	scheme, err := controller.Scheme()
	if err != nil {
		return nil, err
	}
	mgr, err := ctrl.NewManager(api, ctrl.Options{
		Scheme:                 scheme,
		MapperProvider:         controller.Mapper,
		Logger:                 logger,
		Cache:                  cacheOptions(s, config),
		Metrics:                metricsserver.Options{BindAddress: s.metricsAddress()},
		HealthProbeBindAddress: "0", // serveProbes
		PprofBindAddress:       s.profileAddress(),
	})
	if err != nil {
		return nil, fmt.Errorf("set up the caches: %w", err)
	}
	leading, err := newLeading(mgr, api, s)
	if err != nil {
		return nil, err
	}
	return &halves{Manager: mgr, leading: leading, gauges: &leadersGauges{Registerer: metrics.Registry}}, nil
}

// cacheOptions are those of the controllers and what the certificate needs: one Secret and two webhook configurations, by name, which is
// also all that daprise may read of these kinds.
func cacheOptions(s settings, config mesh.Config) cache.Options {
	options := controller.CacheOptions(config)
	named := func(name string) fields.Selector { return fields.OneTermEqualSelector("metadata.name", name) }
	options.ByObject[&admissionregistrationv1.MutatingWebhookConfiguration{}] = cache.ByObject{Field: named(hooks.Name)}
	options.ByObject[&admissionregistrationv1.ValidatingWebhookConfiguration{}] = cache.ByObject{Field: named(hooks.Name)}
	options.ByObject[&corev1.Secret{}] = cache.ByObject{Namespaces: map[string]cache.Config{s.namespace: {FieldSelector: named(caSecret)}}}
	return options
}

func setUpCertificates(mgr ctrl.Manager, s settings, api *rest.Config) (*served, error) {
	newest, err := newSource(s, api)
	if err != nil {
		return nil, err
	}
	if err := mgr.Add(newest); err != nil {
		return nil, fmt.Errorf("set up the certificate: %w", err)
	}
	live := configurations{reader: mgr.GetClient(), now: time.Now}
	certificates := &served{newest: newest.GetCertificate, trusted: live.trusted, now: time.Now}
	if s.tls == tlsSelf {
		if err := (&bundler{client: mgr.GetClient(), namespace: s.namespace, now: time.Now}).setup(mgr); err != nil {
			return nil, err
		}
	}
	gauge := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "daprise_certificate_expiry_seconds",
		Help: "Seconds until the served certificate expires; negative when it has.",
	}, certificates.expiry)
	if err := metrics.Registry.Register(gauge); err != nil {
		return nil, fmt.Errorf("register metric: %w", err)
	}
	return certificates, nil
}
