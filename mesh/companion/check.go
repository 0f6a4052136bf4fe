// SPDX-License-Identifier: Apache-2.0

package companion

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/daprise/daprise/mesh"
)

// CheckKey judges one annotation under dapr.io/ on an enrolled object of a kind (Service, Deployment or Gateway). It says true with a
// finding where the key is refused or unknown (DPR307) or its value is not in its grammar (DPR302); the finding has no Object. The
// values of keys that daprise reads itself (Ours) are not judged here.
func CheckKey(name, value, kind string, config mesh.Config) (mesh.Finding, bool) {
	i := slices.IndexFunc(Keys(), func(k Key) bool { return k.Name == name })
	if i < 0 {
		return unknownKey(name), true
	}
	key := Keys()[i]
	switch {
	case key.Use == Refused:
		return refusedKey(key.Name, key.Reason), true
	case !key.applies(kind):
		return refusedKey(key.Name, "a Gateway's companion has no app behind it and runs with daprise's own Configuration"), true
	case key.Use == Ours:
		return mesh.Finding{}, false
	}
	if _, ok := key.Value.parse(value, config); !ok {
		return badValue(key.Name, value, key.Value.Text), true
	}
	return mesh.Finding{}, false
}

// CheckKeys judges all annotations under dapr.io/ of an enrolled object, each by CheckKey and then together: a request over its limit,
// a health check that takes longer than its interval. Other annotations are ignored. Findings are in the order of the keys.
func CheckKeys(annotations map[string]string, kind string, config mesh.Config) []mesh.Finding {
	var findings []mesh.Finding
	for _, name := range slices.Sorted(maps.Keys(annotations)) {
		if !strings.HasPrefix(name, mesh.DaprPrefix) {
			continue
		}
		if finding, found := CheckKey(name, annotations[name], kind, config); found {
			findings = append(findings, finding)
		}
	}
	s := settingsOf(annotations, kind, config)
	findings = append(findings, checkLimit(s, keyCPURequest, keyCPULimit)...)
	findings = append(findings, checkLimit(s, keyMemoryRequest, keyMemoryLimit)...)
	return append(findings, checkHealthTimes(s)...)
}

func checkLimit(s settings, request, limit string) []mesh.Finding {
	wanted, err := resource.ParseQuantity(s.value(request))
	if err != nil {
		return nil // not set
	}
	most, err := resource.ParseQuantity(s.value(limit))
	if err != nil || wanted.Cmp(most) <= 0 {
		return nil
	}
	return []mesh.Finding{badValue(request, s.value(request), "at most "+limit+", "+most.String())}
}

// checkHealthTimes: daprd does not start otherwise (dapr pkg/runtime/config.go). Its defaults are 5 s and 500 ms.
func checkHealthTimes(s settings) []mesh.Finding {
	interval := time.Duration(s.number(keyHealthInterval, 5)) * time.Second
	timeout := time.Duration(s.number(keyHealthTimeout, 500)) * time.Millisecond
	if timeout <= interval {
		return nil
	}
	return []mesh.Finding{badValue(keyHealthTimeout, s.value(keyHealthTimeout),
		fmt.Sprintf("at most %s, %d milliseconds", keyHealthInterval, interval.Milliseconds()))}
}

func refusedKey(name, reason string) mesh.Finding {
	return mesh.Finding{
		Code:     mesh.CodeDaprKeyRefused,
		Severity: mesh.Deny,
		Field:    field(name),
		Message:  "refused on an enrolled object: " + reason,
		Fix:      "Remove the annotation.",
		Invalid:  true,
	}
}

func unknownKey(name string) mesh.Finding {
	return mesh.Finding{
		Code:     mesh.CodeDaprKeyRefused,
		Severity: mesh.Deny,
		Field:    field(name),
		Message:  "not a key of Dapr 1.18; the nearest is " + nearest(name),
		Fix:      "Correct the key or remove the annotation.",
		Invalid:  true,
	}
}

func badValue(name, value, allowed string) mesh.Finding {
	return mesh.Finding{
		Code:     mesh.CodeBadValue,
		Severity: mesh.Deny,
		Field:    field(name),
		Message:  "found " + strconv.Quote(shortened(value)) + ", allowed is " + allowed,
		Fix:      "Correct the value or remove the annotation.",
		Invalid:  true,
	}
}

func field(name string) string { return "metadata.annotations[" + name + "]" }

// shortened keeps a refusal readable: an annotation may be 256 KiB long.
func shortened(value string) string {
	const most = 80
	if len(value) <= most {
		return value
	}
	return strings.ToValidUTF8(value[:most], "") + "…"
}

// nearest is the known key with the smallest edit distance; of several, the first by name.
func nearest(name string) string {
	best, bestDistance := "", -1
	keys := Keys()
	slices.SortFunc(keys, func(a, b Key) int { return strings.Compare(a.Name, b.Name) })
	for _, key := range keys {
		if d := distance(name, key.Name); bestDistance < 0 || d < bestDistance {
			best, bestDistance = key.Name, d
		}
	}
	return best
}

// distance is Levenshtein's. Its cost is bounded: keys of annotations have at most 317 bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			diagonal, row[j] = row[j], min(row[j]+1, row[j-1]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
