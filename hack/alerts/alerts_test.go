// SPDX-License-Identifier: Apache-2.0

package alerts_test

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/rules"
)

const (
	file     = "../../deploy/helm/daprise/files/alerts.yaml"
	runbooks = "../../docs/runbooks.md"
	// step is between two samples and between two evaluations.
	step = time.Minute
)

// well is an installation in which nothing is wrong, for three hours.
const well = `load 1m
  daprise_certificate_expiry_seconds{pod="a"} 600000+0x180
  daprise_proof_age_seconds{pod="a"} 30+0x180
  daprise_admission_decisions_total{resource="httproutes",operation="CREATE",decision="allow",code=""} 0+10x180
  daprise_admission_duration_seconds_bucket{resource="httproutes",operation="CREATE",le="0.005"} 0+10x180
  daprise_admission_duration_seconds_bucket{resource="httproutes",operation="CREATE",le="+Inf"} 0+10x180
  daprise_live_reads_total{resource="httproutes"} 0+1x180
  daprise_companions{state="Ready"} 12+0x180
  daprise_companions{state="Leaving"} 1+0x180
  daprise_joining_seconds 0+0x180
  daprise_trust_bundle_expiry_seconds{pod="a"} 10000000+0x180
  apiserver_admission_webhook_rejection_count{name="routes.validate.daprise.dev",error_type="no_error"} 0+1x180
  apiserver_admission_webhook_rejection_count{name="other.example.com",error_type="calling_webhook_error"} 0+1x180
  apiserver_admission_webhook_fail_open_count{name="other.example.com"} 0+1x180
`

// fault is what an alert is for.
type fault struct {
	alert  string
	series string
	// without drops the lines of well that hold this text.
	without string
	// after is when it fires, to the minute; it is quiet a minute before.
	after time.Duration
	// labels and summary are what it tells.
	labels, summary string
}

func faults() []fault {
	return []fault{
		{
			alert: "DapriseDown", without: "daprise_", after: 5 * time.Minute,
			labels: "severity=critical", summary: "No replica of daprise is scraped",
		},
		{
			alert: "DapriseUnproven", without: "daprise_proof", series: `daprise_proof_age_seconds{pod="a"} 0+60x180`, after: 11 * time.Minute,
			labels: "severity=critical", summary: "Nobody has seen admission refuse for over five minutes",
		},
		{
			alert: "DapriseUnproven", without: "daprise_proof", after: 5 * time.Minute,
			labels: "severity=critical", summary: "Nobody has seen admission refuse for over five minutes",
		},
		{
			alert: "DapriseCallsFail", series: `apiserver_admission_webhook_rejection_count{name="routes.validate.daprise.dev",error_type="calling_webhook_error"} 0+6x180`, after: 6 * time.Minute,
			labels: "name=routes.validate.daprise.dev severity=critical", summary: "The API server cannot call routes.validate.daprise.dev",
		},
		{
			alert: "DapriseFailOpen", series: `apiserver_admission_webhook_fail_open_count{name="policies.validate.daprise.dev"} 0 0 1+0x178`, after: 2 * time.Minute,
			labels: "name=policies.validate.daprise.dev severity=warning", summary: "Requests went past policies.validate.daprise.dev",
		},
		{
			alert: "DapriseAdmissionErrors", series: `daprise_admission_decisions_total{resource="services",operation="UPDATE",decision="error",code=""} 0+1x180`, after: 6 * time.Minute,
			labels: "resource=services severity=warning", summary: "daprise fails to decide on services",
		},
		{
			alert: "DapriseAdmissionSlow", series: `daprise_admission_duration_seconds_bucket{resource="services",operation="UPDATE",le="1"} 0+1x180
  daprise_admission_duration_seconds_bucket{resource="services",operation="UPDATE",le="5"} 0+10x180
  daprise_admission_duration_seconds_bucket{resource="services",operation="UPDATE",le="+Inf"} 0+10x180`, after: 11 * time.Minute,
			labels: "resource=services severity=warning", summary: "One in a hundred decisions on services takes more than a second",
		},
		{
			alert: "DapriseLiveReadsHigh", series: `daprise_live_reads_total{resource="services"} 0+180x180`, after: 22 * time.Minute,
			labels: "resource=services severity=warning", summary: "daprise reads the API server for 3 decisions a second on services",
		},
		{
			alert: "DapriseRefusalsHigh", series: `daprise_admission_decisions_total{resource="httproutes",operation="CREATE",decision="deny",code="DPR101"} 0+30x180`, after: 4 * time.Minute,
			labels: "code=DPR101 resource=httproutes severity=info", summary: "DPR101 refused httproutes",
		},
		{
			alert: "DapriseCompanionNotReady", series: `daprise_companions{state="Held"} 2+0x180`, after: 30 * time.Minute,
			labels: "severity=warning state=Held", summary: "2 companions are Held",
		},
		{
			alert: "DapriseCoverageGap", series: `daprise_coverage_gaps{code="DPR103"} 3+0x180`, after: 10 * time.Minute,
			labels: "code=DPR103 severity=warning", summary: "DPR103 holds for 3 companions",
		},
		{
			alert: "DapriseJoiningLong", without: "daprise_joining", series: `daprise_joining_seconds 0+60x180`, after: 31 * time.Minute,
			labels: "severity=warning", summary: "A Service has been joining the mesh for 31m 0s",
		},
		{
			alert: "DapriseCertificateExpiring", without: "daprise_certificate", series: `daprise_certificate_expiry_seconds{pod="a"} 86400-60x180`, after: 11 * time.Minute,
			labels: "severity=critical", summary: "A replica's serving certificate expires in 23h 49m 0s",
		},
		{
			alert: "DapriseTrustBundleExpiring", without: "daprise_trust_bundle", series: `daprise_trust_bundle_expiry_seconds{pod="a"} 1209600-60x180`, after: 11 * time.Minute,
			labels: "severity=critical", summary: "A root certificate of Dapr's trust bundle expires in 13d 23h 49m 0s",
		},
	}
}

func TestAlertsFire(t *testing.T) {
	alerts := read(t)
	fired := map[string]bool{}
	for _, f := range faults() {
		fired[f.alert] = true
		t.Run(f.alert, func(t *testing.T) {
			rule, ok := alerts[f.alert]
			if !ok {
				t.Fatal("no such alert")
			}
			series := ""
			for line := range strings.Lines(well) {
				if f.without == "" || !strings.Contains(line, f.without) {
					series += line
				}
			}
			at, told := run(t, rule, series+"  "+f.series+"\n")
			if at != f.after {
				t.Fatalf("fires after %s, want %s", at, f.after)
			}
			if told.labels != f.labels {
				t.Errorf("labels %s, want %s", told.labels, f.labels)
			}
			if !strings.HasPrefix(told.summary, f.summary) {
				t.Errorf("summary %q, want %q", told.summary, f.summary)
			}
		})
	}
	for name := range alerts {
		if !fired[name] {
			t.Errorf("nothing makes %s fire", name)
		}
	}
}

// TestAlertsAreQuiet: where all is well, none fires.
func TestAlertsAreQuiet(t *testing.T) {
	for name, rule := range read(t) {
		if at, told := run(t, rule, well); at >= 0 {
			t.Errorf("%s fires after %s: %s", name, at, told.summary)
		}
	}
}

// TestAlertsHaveRunbooks: each alert's runbook is there.
func TestAlertsHaveRunbooks(t *testing.T) {
	text, err := os.ReadFile(runbooks)
	if err != nil {
		t.Fatal(err)
	}
	for name, rule := range read(t) {
		if !strings.Contains(string(text), "\n## "+name+"\n") {
			t.Errorf("docs/runbooks.md has no section %s", name)
		}
		if want := "https://github.com/daprise/daprise/blob/main/docs/runbooks.md#" + strings.ToLower(name); rule.Annotations["runbook_url"] != want {
			t.Errorf("%s: runbook_url %q, want %q", name, rule.Annotations["runbook_url"], want)
		}
	}
}

func read(t *testing.T) map[string]rulefmt.Rule {
	t.Helper()
	groups, errs := rulefmt.ParseFile(file, false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	alerts := map[string]rulefmt.Rule{}
	for _, group := range groups.Groups {
		for _, rule := range group.Rules {
			if _, twice := alerts[rule.Alert]; twice || rule.Alert == "" {
				t.Errorf("rule %q is no alert or there twice", rule.Alert)
			}
			alerts[rule.Alert] = rule
		}
	}
	return alerts
}

// told is what an alert says when it fires.
type told struct{ labels, summary string }

// run evaluates a rule each minute as Prometheus would, and returns when it first fires, or a negative time.
func run(t *testing.T, r rulefmt.Rule, series string) (time.Duration, told) {
	t.Helper()
	storage := promqltest.LoadedStorage(t, series)
	defer func() {
		if err := storage.Close(); err != nil {
			t.Error(err)
		}
	}()
	engine := promqltest.NewTestEngine(t, false, 5*time.Minute, 1_000_000)
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(r.Expr)
	if err != nil {
		t.Fatal(err)
	}
	rule := rules.NewAlertingRule(r.Alert, expr, time.Duration(r.For), 0, labels.FromMap(r.Labels), labels.FromMap(r.Annotations),
		labels.EmptyLabels(), "", true, slog.New(slog.DiscardHandler))
	query := rules.EngineQueryFunc(engine, storage)
	for at := time.Duration(0); at <= 3*time.Hour; at += step {
		if _, err := rule.Eval(t.Context(), 0, time.Unix(0, 0).Add(at), query, nil, 0); err != nil {
			t.Fatal(err)
		}
		for _, alert := range rule.ActiveAlerts() {
			if alert.State != rules.StateFiring {
				continue
			}
			var all []string
			alert.Labels.Range(func(l labels.Label) {
				if l.Name != "alertname" {
					all = append(all, fmt.Sprintf("%s=%s", l.Name, l.Value))
				}
			})
			return at, told{strings.Join(all, " "), alert.Annotations.Get("summary")}
		}
	}
	return -1, told{}
}
