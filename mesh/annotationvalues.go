// SPDX-License-Identifier: Apache-2.0

package mesh

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// MaxAppID is the longest app ID, in characters: its longest object name, "<id>-dapr-api", has to be a DNS label.
const MaxAppID = MaxName - len("-dapr-api")

// noneOf says that a value is none of the allowed ones.
func noneOf[T ~string](allowed ...T) func(string) string {
	return func(value string) string {
		if slices.Contains(allowed, T(value)) {
			return ""
		}
		names := make([]string, len(allowed))
		for i, a := range allowed {
			names[i] = strconv.Quote(string(a))
		}
		return quoted(value) + " is not " + enumerate(names, "or")
	}
}

// IsAppID says whether an app ID is one that daprise accepts: a DNS-1035 label of at most MaxAppID characters, since it begins the
// names of Services and is a label value.
func IsAppID(id string) bool { return len(id) <= MaxAppID && len(validation.IsDNS1035Label(id)) == 0 }

// appIDs says what IsAppID asks for.
const appIDs = "an app ID: at most 54 of a-z, 0-9 and -, a letter first, a letter or digit last"

func wrongAppID(value string) string {
	if IsAppID(value) {
		return ""
	}
	return quoted(value) + " is not " + appIDs
}

func wrongReplicas(value string) string {
	n, err := strconv.Atoi(value)
	if err == nil && strconv.Itoa(n) == value && n >= MinReplicas && n <= MaxReplicas {
		return ""
	}
	return fmt.Sprintf("%s is not a whole number from %d to %d", quoted(value), MinReplicas, MaxReplicas)
}

func wrongService(value string) string {
	if len(validation.IsDNS1123Label(value)) == 0 {
		return ""
	}
	return quoted(value) + " is not the name of a Service"
}

// wrongPort checks the grammar alone; whether there is such a port is found out where the Service is known.
func wrongPort(value string) string {
	if _, ok := portNumber(value); ok || len(validation.IsValidPortName(value)) == 0 {
		return ""
	}
	return quoted(value) + " is not a port number from 1 to 65535 or a port name"
}

func portNumber(value string) (int32, bool) {
	n, err := strconv.ParseInt(value, 10, 32)
	if err != nil || strconv.FormatInt(n, 10) != value || len(validation.IsValidPortNum(int(n))) > 0 {
		return 0, false
	}
	return int32(n), true
}

func wrongCallers(value string) string {
	var seen []string
	for caller := range strings.SplitSeq(value, ",") {
		caller = strings.TrimSpace(caller)
		id, namespace, named := strings.Cut(caller, ".")
		switch {
		case !IsAppID(id), named && len(validation.IsDNS1123Label(namespace)) > 0:
			return fmt.Sprintf("%s holds %s, which is not app-id or app-id.namespace", quoted(value), quoted(caller))
		case slices.Contains(seen, caller):
			return fmt.Sprintf("%s names %s twice", quoted(value), quoted(caller))
		}
		seen = append(seen, caller)
	}
	return ""
}

// callersOf reads a value that wrongCallers accepts: each caller once, sorted. A caller without a namespace is in the app's own.
func callersOf(value, namespace string) []AppRef {
	var callers []AppRef
	for caller := range strings.SplitSeq(value, ",") {
		id, in, named := strings.Cut(strings.TrimSpace(caller), ".")
		if !named {
			in = namespace
		}
		callers = append(callers, AppRef{Namespace: in, ID: id})
	}
	slices.SortFunc(callers, func(a, b AppRef) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.ID, b.ID))
	})
	return slices.Compact(callers)
}
