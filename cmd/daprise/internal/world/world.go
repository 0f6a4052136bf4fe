// SPDX-License-Identifier: Apache-2.0

// Package world takes files for a cluster: it admits their objects as the webhook would, all of them in one world, and plans what the
// controller would make. It loads through controller.Loader and decides by mutate and validate, so that it has no opinion of its own.
package world

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/cmd/daprise/internal/document"
	"github.com/daprise/daprise/controller"
	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
)

// Options of a World.
type Options struct {
	Config mesh.Config
	// Namespace is that of objects without one.
	Namespace string
	// Mode, if it is not empty, is the coverage mode of every namespace, whatever labels say.
	Mode mesh.Mode
	// CiliumVersion is that of a cluster whose Cilium is not among the objects.
	CiliumVersion string
	// TrustAnchors is Dapr's trust bundle where it is not among the objects.
	TrustAnchors string
	// Anew leaves out the objects that daprise made, as if it had them to make still.
	Anew bool
	// Annotations are set, or removed where they are empty, on objects before they are admitted: their documents do not say so.
	Annotations map[mesh.Object]map[string]string
}

// World is the objects of an input, admitted.
type World struct {
	options Options
	store   *store
	loader  *controller.Loader
	// loaded are Worlds by namespace, and everywhere.
	loaded map[string]policy.World
	// names finds objects whatever version their documents say: no two kinds that are known have one name.
	names map[mesh.Object]*Object
	// Objects are those that a decision reads or writes, in the order of the input.
	Objects []*Object
	// LeftOut are the documents that Options.Anew leaves out.
	LeftOut []*document.Document
	// Problems are documents that do not fit their kind.
	Problems []document.Problem
}

// Object is one document of a known kind.
type Object struct {
	Document *document.Document
	Kind     schema.GroupKind
	// Name names the object, in the namespace that it goes to.
	Name mesh.Object
	// Before is the object as written, with its namespace; After is as it would be stored, or nil where it is refused.
	Before, After []byte
	// Findings are those of admission, by mode, in the order of mesh.SortFindings.
	Findings []mesh.Finding

	typed client.Object
	// defaulted says that the namespace is not written in the document.
	defaulted bool
	uid       types.UID
}

// Refused says that admission would not let the object in.
func (o *Object) Refused() bool { return mesh.Denied(o.Findings) }

// New reads the documents of files into a World, and admits them. An error is a bug or a cancelled context.
func New(ctx context.Context, files []document.File, options Options) (*World, error) {
	w, err := Read(files, options)
	if err != nil {
		return nil, err
	}
	return w, w.admit(ctx)
}

// Enrolled reads the documents of files into a World in which enrolments are admitted and nothing else is: enough to ask for the pods and
// policies of an input.
func Enrolled(files []document.File, options Options) (*World, error) {
	w, err := Read(files, options)
	if err != nil {
		return nil, err
	}
	return w, w.enrol()
}

// Read reads the documents of files into a World as they are.
func Read(files []document.File, options Options) (*World, error) {
	scheme, err := controller.Scheme()
	if err != nil {
		return nil, err
	}
	w := &World{options: options, store: newStore(scheme), loaded: map[string]policy.World{}, names: map[mesh.Object]*Object{}}
	if options.Mode != "" {
		w.options.Config.Defaults.Coverage = options.Mode
	}
	kinds, wanted := known(), Wanted()
	for _, file := range files {
		for _, segment := range file.Segments {
			if segment.Document == nil {
				continue
			}
			gk := schema.GroupKind{Group: segment.Document.Group(), Kind: segment.Document.Kind}
			if empty, ok := kinds[gk]; ok && wanted(segment.Document) {
				w.read(segment.Document, gk, empty())
			}
		}
	}
	w.surround()
	w.loader = controller.NewLoader(w.options.Config, w.store)
	return w, nil
}

// read stores one document.
func (w *World) read(d *document.Document, gk schema.GroupKind, empty client.Object) {
	typed, err := decode(empty, d.JSON)
	if err != nil {
		w.Problems = append(w.Problems, d.Problem(d.Kind+" "+d.Name+" "+err.Error()))
		return
	}
	o := &Object{
		Document: d, Kind: gk, typed: typed, Before: d.JSON,
		Name: mesh.Object{APIVersion: d.APIVersion, Kind: d.Kind, Namespace: d.Namespace, Name: d.Name},
		uid:  types.UID("document-" + strconv.Itoa(len(w.Objects))),
	}
	switch {
	case clusterScoped(gk):
		typed.SetNamespace("")
		o.Name.Namespace = ""
	case d.Namespace == "":
		o.defaulted = true
		o.Name.Namespace = w.options.Namespace
		typed.SetNamespace(w.options.Namespace)
		if o.Before, err = withNamespace(d.JSON, w.options.Namespace); err != nil {
			w.Problems = append(w.Problems, d.Problem(err.Error()))
			return
		}
	}
	if err := w.annotate(o); err != nil {
		w.Problems = append(w.Problems, d.Problem(err.Error()))
		return
	}
	if w.options.Anew && o.IsGenerated() {
		w.LeftOut = append(w.LeftOut, d)
		return
	}
	o.After = o.Before
	if before := w.names[unversioned(o.Name)]; before != nil && before.Document.IsStored() {
		// A file takes the place of what a cluster has.
		w.Objects = slices.DeleteFunc(w.Objects, func(other *Object) bool { return other == before })
	}
	w.names[unversioned(o.Name)] = o
	w.Objects = append(w.Objects, o)
	w.keep(o)
}

// annotate changes annotations as the options say.
func (w *World) annotate(o *Object) error {
	changes, ok := w.options.Annotations[unversioned(o.Name)]
	if !ok {
		return nil
	}
	var content map[string]any
	if err := json.Unmarshal(o.Before, &content); err != nil {
		return err
	}
	u := &unstructured.Unstructured{Object: content}
	annotations := u.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	for key, value := range changes {
		if annotations[key] = value; value == "" {
			delete(annotations, key)
		}
	}
	u.SetAnnotations(annotations)
	var err error
	if o.Before, err = json.Marshal(u.Object); err != nil {
		return err
	}
	o.typed, err = decode(known()[o.Kind](), o.Before)
	return err
}

// keep puts an object into the store, under a version of its own, by which policies are compiled and routes are read once. Objects that
// may own others keep the UID that is theirs.
func (w *World) keep(o *Object) {
	w.store.versions++
	if isPolicyOrRoute(o.Kind) {
		o.typed.SetUID(o.uid)
		o.typed.SetResourceVersion(strconv.Itoa(w.store.versions))
	}
	if o.Kind.Kind == "Namespace" && w.options.Mode != "" {
		labels := map[string]string{}
		for k, v := range o.typed.GetLabels() {
			labels[k] = v
		}
		labels[mesh.LabelCoverage] = string(w.options.Mode)
		o.typed.SetLabels(labels)
	}
	w.store.put(o.Kind, o.typed)
}

func isPolicyOrRoute(gk schema.GroupKind) bool { return isPolicy(gk) || isRoute(gk) }

func isPolicy(gk schema.GroupKind) bool {
	return gk.Group == groupCilium && (gk.Kind == policy.KindCNP || gk.Kind == policy.KindCCNP) ||
		gk.Group == groupNetworking && gk.Kind == policy.KindKNP
}

func isRoute(gk schema.GroupKind) bool {
	return gk.Group == groupGateway && (gk.Kind == mesh.KindHTTPRoute || gk.Kind == mesh.KindGRPCRoute)
}

func isEnrollable(gk schema.GroupKind) bool {
	return gk == schema.GroupKind{Kind: mesh.KindService} || gk == schema.GroupKind{Group: groupApps, Kind: mesh.KindDeployment} ||
		gk == schema.GroupKind{Group: groupGateway, Kind: mesh.KindGateway}
}

// All is the World of all decisions. It is loaded once for all, since most of what a decision needs others need, too.
func (w *World) All(ctx context.Context) (policy.World, error) {
	return w.load(ctx, everywhere, func() mesh.Need {
		need := mesh.Need{Namespaces: w.Namespaces(), AllNamespaces: true}
		for _, o := range w.Objects {
			of := o.need()
			need.Namespaces = append(need.Namespaces, of.Namespaces...)
			need.Gateways, need.Services = append(need.Gateways, of.Gateways...), append(need.Services, of.Services...)
		}
		return need.Union(mesh.Need{})
	})
}

// about is the World of decisions about one object. A Deployment that is not enrolled needs all Services of its namespace: which of them select
// its pods is known to nobody yet.
func (w *World) about(ctx context.Context, o *Object) (policy.World, error) {
	if o.Kind.Kind != mesh.KindDeployment || o.typed.GetLabels()[mesh.LabelAppID] != "" {
		return w.All(ctx)
	}
	ns := o.Name.Namespace
	return w.load(ctx, ns, func() mesh.Need {
		need := mesh.Need{Namespaces: []string{ns}}
		for _, other := range w.Objects {
			if other.Name.Namespace == ns {
				need = need.Union(other.need())
			}
		}
		return need
	})
}

// everywhere is what is loaded for all namespaces together.
const everywhere = ""

// load loads a World, once.
func (w *World) load(ctx context.Context, key string, need func() mesh.Need) (policy.World, error) {
	if known, ok := w.loaded[key]; ok {
		return known, nil
	}
	loaded, err := w.loader.Load(ctx, need())
	if err != nil {
		return policy.World{}, err
	}
	w.loaded[key] = loaded
	return loaded, nil
}

// Namespaces are those of all objects, sorted.
func (w *World) Namespaces() []string {
	var namespaces []string
	for _, o := range w.Objects {
		ns := o.Name.Namespace
		if o.Kind.Kind == "Namespace" {
			ns = o.Name.Name
		}
		if i, found := slices.BinarySearch(namespaces, ns); !found && ns != "" {
			namespaces = slices.Insert(namespaces, i, ns)
		}
	}
	return namespaces
}

func (w *World) forget() { w.loaded = map[string]policy.World{} }

// Annotation is one of the object's annotations.
func (o *Object) Annotation(key string) (string, bool) {
	value, ok := o.typed.GetAnnotations()[key]
	return value, ok
}
