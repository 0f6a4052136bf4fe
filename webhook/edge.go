// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"
	admissionv1 "k8s.io/api/admission/v1"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
)

// Paths of the two webhooks.
const (
	PathMutate   = "/mutate"
	PathValidate = "/validate"
)

// phase is the half of admission that calls.
type phase int

const (
	phaseMutate phase = iota
	phaseValidate
)

func (p phase) path() string {
	if p == phaseMutate {
		return PathMutate
	}
	return PathValidate
}

// Options of an Edge; all are required.
type Options struct {
	Worlds  Worlds
	Config  mesh.Config
	Log     *slog.Logger
	Metrics prometheus.Registerer
}

// Edge decides about admission requests. It is safe for concurrent use and has no side effects but logs and metrics, so that dry-run
// needs no case of its own.
type Edge struct {
	worlds  Worlds
	config  mesh.Config
	log     *slog.Logger
	metrics *metrics
	table   map[key]decider
}

// New makes an Edge and registers its metrics. An error means that metrics of these names are registered already.
func New(o Options) (*Edge, error) {
	e := &Edge{worlds: o.Worlds, config: o.Config, log: o.Log, table: dispatchTable()}
	known := map[string]bool{}
	for k := range e.table {
		known[k.resource] = true
	}
	var err error
	if e.metrics, err = newMetrics(o.Metrics, known); err != nil {
		return nil, err
	}
	return e, nil
}

// Handler serves PathMutate and PathValidate.
func (e *Edge) Handler() http.Handler {
	bodies := semaphore.NewWeighted(maxBodies)
	mux := http.NewServeMux()
	for _, p := range []phase{phaseMutate, phaseValidate} {
		mux.Handle(p.path(), &handler{phase: p, edge: e, bodies: bodies})
	}
	return mux
}

// errUnknown marks a request that no hook of ours asks for: an HTTP 400. Admitting it unseen would pretend that it was checked.
var errUnknown = fmt.Errorf("%w: no decision for it", errMalformed)

// errUndecodable marks an object that does not fit the Go type of its kind.
var errUndecodable = errors.New("object does not fit its kind")

// decide finds the decision for a request, takes it and tells about it.
func (e *Edge) decide(ctx context.Context, p phase, request *admissionv1.AdmissionRequest) (verdict, error) {
	d, ok := e.table[keyOf(p, request)]
	if !ok || request.SubResource != "" || request.Resource.Version != d.version {
		return verdict{}, fmt.Errorf("%w: %s of %.64q %.64q", errUnknown, request.Operation, request.Resource.String(), request.SubResource)
	}
	start := time.Now()
	v, source, err := e.decideOn(ctx, d, request)
	if errors.Is(err, errUndecodable) && p == phaseMutate {
		// Mutation runs before the API server checks an object against its schema. Whoever wrote it is told better by that check;
		// if it passes there, because the schema is newer than our types, validation fails the call below.
		e.log.Info("left to the schema", "uid", request.UID, "object", objectOf(request).String(), "error", err)
		return verdict{}, nil
	}
	if err != nil {
		return verdict{}, err
	}
	if d.lenient && mesh.Denied(v.findings) {
		v = verdict{}
	}
	v.findings = suppressed(request, v.findings, start)
	mesh.SortFindings(v.findings)
	took := time.Since(start)
	e.metrics.decided(p, request, v, took)
	e.tell(ctx, told{phase: p, request: request, verdict: v, source: source, took: took})
	return v, nil
}

// sources of a decision, as they are logged.
const (
	fromCache = "cache"
	fromLive  = "live"
)

// decideOn decides on cached data and, before it refuses or where that leaves something open, once more on data read live: a cache may
// be late. If the API server cannot be read then, the request fails; it is neither refused nor admitted on data that may be wrong.
func (e *Edge) decideOn(ctx context.Context, d decider, request *admissionv1.AdmissionRequest) (v verdict, source string, err error) {
	if e.exempt(request.Namespace) {
		return verdict{}, fromCache, nil
	}
	a := &call{AdmissionRequest: request}
	need, err := d.need(a)
	if err != nil {
		return verdict{}, "", err
	}
	world, err := e.worlds.Load(ctx, need)
	if err != nil {
		return verdict{}, "", fmt.Errorf("load the world of %s: %w", objectOf(request), err)
	}
	if switchedOff(request, world.View) {
		return verdict{}, fromCache, nil
	}
	if v, err = d.decide(a, world); err != nil {
		return verdict{}, "", err
	}
	if !mesh.Denied(v.findings) {
		if open, err := e.isOpen(ctx, d, a, loadedFor{need, world}); !open || err != nil {
			return v, fromCache, err
		}
	}
	e.metrics.live(request)
	if world, err = e.worlds.LoadLive(ctx, request.Namespace, need); err != nil {
		return verdict{}, "", fmt.Errorf("load the world of %s: %w", objectOf(request), err)
	}
	if switchedOff(request, world.View) {
		return verdict{}, fromLive, nil
	}
	v, err = d.decide(a, world)
	return v, fromLive, err
}

// loadedFor is a need and what was loaded for it.
type loadedFor struct {
	need  mesh.Need
	world policy.World
}

// isOpen says whether what was loaded may lack what would decide otherwise.
func (e *Edge) isOpen(ctx context.Context, d decider, request *call, l loadedFor) (bool, error) {
	if d.open == nil || !d.open(request.AdmissionRequest, l.need, l.world) {
		return false, nil
	}
	if !d.unseen {
		return true, nil
	}
	unseen, err := e.worlds.Unseen(ctx, l.need, l.world.View)
	if err != nil {
		return false, fmt.Errorf("look for enrolments of %s: %w", objectOf(request.AdmissionRequest), err)
	}
	return unseen, nil
}

// exempt says whether a namespace is left alone whatever its labels. The hooks' namespaceSelector says the same; it is said here too,
// because the API server does not apply it to everything (an object that is a namespace is matched by its own labels).
func (e *Edge) exempt(namespace string) bool {
	return namespace == mesh.SystemNamespace || slices.Contains(e.config.ExemptNamespaces, namespace)
}

// switchedOff says whether the platform switched admission off in the request's namespace. For a change of a namespace's labels both
// the old and the new labels have to say so: switching it off is itself a change that is looked at.
func switchedOff(request *admissionv1.AdmissionRequest, view *mesh.View) bool {
	return request.Namespace != "" && request.Kind.Kind != kindNamespace &&
		view.Namespaces[request.Namespace][mesh.LabelAdmission] == admissionDisabled
}

// admissionDisabled is the value of mesh.LabelAdmission that exempts a namespace.
const admissionDisabled = "disabled"

// objectOf names the object of a request, by its old version where there is no name: a deletion of a collection carries none.
func objectOf(request *admissionv1.AdmissionRequest) mesh.Object {
	o := mesh.Object{
		APIVersion: schemaVersion(request),
		Kind:       cut(request.Kind.Kind, maxName),
		Namespace:  cut(request.Namespace, maxName),
		Name:       cut(request.Name, maxName),
	}
	if o.Name == "" {
		o.Name = cut(cmp.Or(nameIn(request.Object.Raw), nameIn(request.OldObject.Raw)), maxName)
	}
	if o.Kind == kindNamespace {
		o.Namespace = ""
	}
	return o
}

// told is one decision to log.
type told struct {
	phase   phase
	request *admissionv1.AdmissionRequest
	verdict verdict
	source  string
	took    time.Duration
}

// tell logs one line for each refusal; what is admitted is seen in the metrics and, with its findings, at debug level.
func (e *Edge) tell(ctx context.Context, t told) {
	level, message := slog.LevelDebug, "admitted"
	decision, code := t.verdict.decision()
	if decision == decisionDeny {
		level, message = slog.LevelInfo, "refused"
	}
	if !e.log.Enabled(ctx, level) {
		return
	}
	e.log.Log(ctx, level, message,
		"code", string(code), "codes", codes(t.verdict.findings), "object", objectOf(t.request).String(),
		"operation", string(t.request.Operation), "uid", string(t.request.UID), "path", t.phase.path(),
		"dryRun", t.request.DryRun != nil && *t.request.DryRun, "source", t.source, "took", t.took)
}
