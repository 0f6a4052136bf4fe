// SPDX-License-Identifier: Apache-2.0

package mesh

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// annotation is one key that users set: on what, and the grammar of its values (contract: "Annotations users set").
type annotation struct {
	key   string
	kinds []string
	// wrong says what is wrong with a value, or nothing.
	wrong func(value string) string
	// fix is what to do about a wrong value.
	fix string
}

// annotations are all keys that users set, as they are on objects of a kind.
func annotations(kind string, config Config) []annotation {
	enrolled := []string{KindService, KindDeployment, KindGateway}
	apps := []string{KindService, KindDeployment}
	routes := []string{KindHTTPRoute, KindGRPCRoute}
	yesNo := noneOf("true", "false")
	return []annotation{
		enabled(kind, append(enrolled, routes...)),
		{AnnotationAppID, enrolled, wrongAppID, "Set such a name, or remove the annotation for the default (" + defaultID(kind) + ")."},
		{AnnotationStrategy, enrolled, noneOf(StrategyDeployment, StrategyDaemonSet), "Set one of them, or remove the annotation for the default (" + string(defaultStrategy(kind)) + ")."},
		{AnnotationReplicas, enrolled, wrongReplicas, fmt.Sprintf("Set a number, or remove the annotation for the default (%d).", config.Defaults.Replicas)},
		{AnnotationLocalRedirect, enrolled, yesNo, "Set one of them, or remove the annotation for the default (false)."},
		{AnnotationService, []string{KindDeployment}, wrongService, "Set the name of the Service, or remove the annotation for the default (the one Service that selects the pods)."},
		{AnnotationAppPort, apps, wrongPort, "Set one, or remove the annotation for the default (the Service's only port, else the one named http)."},
		{AnnotationAppProtocol, apps, noneOf(protocols()...), "Set one of them, or remove the annotation for the default (the port's appProtocol, else http)."},
		{AnnotationCallers, apps, wrongCallers, "Write each caller as app-id or app-id.namespace, once, with commas between, or remove the annotation if only routes call the app."},
		{AnnotationDaprAPI, apps, yesNo, "Set one of them, or remove the annotation for the default (true)."},
		{AnnotationInvoke, []string{KindGateway, KindHTTPRoute}, noneOf(InvokePrefix, InvokeHeader), "Set one of them, or remove the annotation for the default (" + string(config.Defaults.Invoke) + ")."},
		{AnnotationSuppress, append(enrolled, routes...), wrongSuppress, "Write DPR###=reason until YYYY-MM-DD for each, with semicolons between, or remove the annotation."},
	}
}

// enabled is the one key whose values depend on the kind: a route follows its Gateway and backends, and can only opt out.
func enabled(kind string, kinds []string) annotation {
	if isRoute(kind) {
		return annotation{AnnotationEnabled, kinds, func(value string) string {
			if value == "false" {
				return ""
			}
			return quoted(value) + ` is not "false", the only value that this key has on a route`
		}, `Set "false" to keep the route out of the mesh, or remove the annotation: a route follows its Gateway and its backends.`}
	}
	return annotation{AnnotationEnabled, kinds, noneOf("true", "false"), `Set "true" to enrol the ` + kind + `, or remove the annotation.`}
}

func isRoute(kind string) bool { return kind == KindHTTPRoute || kind == KindGRPCRoute }

func defaultID(kind string) string {
	switch kind {
	case KindDeployment:
		return "its Service's name"
	case KindGateway:
		return "its own name and -ingress"
	default:
		return "its own name"
	}
}

func defaultStrategy(kind string) Strategy {
	if kind == KindGateway {
		return StrategyDaemonSet
	}
	return StrategyDeployment
}

// protocols are those that daprd speaks to apps (dapr pkg/config/protocol).
func protocols() []string { return []string{"http", "https", "h2c", "grpc", "grpcs"} }

// checkAnnotations judges every annotation of ours on an object, in the order of their keys: unknown or misplaced keys (DPR301) and bad
// values (DPR302). Of Dapr's keys it judges those that daprise reads itself, and only on an enrolled object: elsewhere they are not
// for us.
func checkAnnotations(object Object, have map[string]string, config Config) []Finding {
	known := annotations(object.Kind, config)
	var findings []Finding
	for _, key := range slices.Sorted(maps.Keys(have)) {
		ours := strings.HasPrefix(key, Prefix)
		if !ours && have[AnnotationEnabled] != "true" {
			continue
		}
		i := slices.IndexFunc(known, func(a annotation) bool { return a.key == key })
		switch {
		case i < 0 && ours && isRoute(object.Kind) && written(key):
			continue
		case i < 0 && ours:
			findings = append(findings, unknownKey(object, key, known))
		case i < 0:
		case !slices.Contains(known[i].kinds, object.Kind):
			if ours {
				findings = append(findings, misplacedKey(object, known[i]))
			}
		default:
			if wrong := known[i].wrong(have[key]); wrong != "" {
				findings = append(findings, invalid(object, CodeBadValue, reason{annotationField(key), wrong, known[i].fix}))
			}
		}
	}
	return findings
}

// CheckRouteAnnotations judges the annotations of ours on an HTTPRoute or GRPCRoute, as checkAnnotations does; the keys that daprise
// writes there itself are left to the rewriting. Equal arguments give equal findings, in the order of the keys.
func CheckRouteAnnotations(object Object, have map[string]string, config Config) []Finding {
	return checkAnnotations(object, have, config)
}

// written says whether daprise writes a key on routes.
func written(key string) bool { return key == AnnotationOriginal || key == AnnotationRevision }

func unknownKey(object Object, key string, known []annotation) Finding {
	var names []string
	for _, a := range known {
		if strings.HasPrefix(a.key, Prefix) && slices.Contains(a.kinds, object.Kind) {
			names = append(names, a.key)
		}
	}
	if written(key) {
		return invalid(object, CodeUnknownKey, reason{annotationField(key), "this key is written by daprise, on routes only", "Remove the annotation."})
	}
	return invalid(object, CodeUnknownKey, reason{annotationField(key), "no such key is known; the nearest is " + nearest(key, names),
		"Correct the key or remove the annotation."})

}

func misplacedKey(object Object, a annotation) Finding {
	kinds := make([]string, len(a.kinds))
	for i, kind := range a.kinds {
		kinds[i] = kind + "s"
	}
	message := fmt.Sprintf("this key means nothing on %ss, only on %s", object.Kind, enumerate(kinds, "and"))
	return invalid(object, CodeUnknownKey, reason{annotationField(a.key), message, "Remove the annotation."})
}

func annotationField(key string) string { return "metadata.annotations[" + key + "]" }

// reason is what a refusal says beside its object and code (Finding).
type reason struct{ field, message, fix string }

// invalid is a finding about malformed input.
func invalid(object Object, code Code, why reason) Finding {
	f := denied(object, code, why)
	f.Invalid = true
	return f
}

// denied is a finding about input that is well-formed and not acceptable as the cluster is.
func denied(object Object, code Code, why reason) Finding {
	return Finding{Code: code, Severity: Deny, Object: object, Field: why.field, Message: why.message, Fix: why.fix}
}

// quoted keeps a refusal readable: an annotation may be 256 KiB long.
func quoted(value string) string {
	const most = 80
	if len(value) > most {
		value = strings.ToValidUTF8(value[:most], "") + "…"
	}
	return strconv.Quote(value)
}

// enumerate is "a", "a or b", "a, b or c".
func enumerate[T ~string](values []T, conjunction string) string {
	var b strings.Builder
	for i, value := range values {
		switch {
		case i == 0:
		case i == len(values)-1:
			b.WriteString(" " + conjunction + " ")
		default:
			b.WriteString(", ")
		}
		b.WriteString(string(value))
	}
	return b.String()
}
