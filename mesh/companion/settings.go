// SPDX-License-Identifier: Apache-2.0

package companion

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/daprise/daprise/mesh"
)

// Defaults where neither a key nor the config file says anything.
const (
	// gracefulShutdownSeconds bounds how long daprd waits for what it is doing when it stops.
	gracefulShutdownSeconds = 20
	// exitSeconds is left to daprd after that, before the kubelet kills it.
	exitSeconds = 5
)

// settings are the values of an enrolled object's mapped keys, canonical; keys that CheckKey refuses are not in it.
type settings struct {
	values    map[string]string
	image     string
	hasConfig bool
	metrics   bool
	liveness  probe
	readiness probe
}

func settingsOf(annotations map[string]string, kind string, config mesh.Config) settings {
	s := settings{values: map[string]string{}}
	for _, key := range Keys() {
		value, set := annotations[key.Name]
		if !set || key.Use != Mapped || !key.applies(kind) {
			continue
		}
		if canonical, ok := key.Value.parse(value, config); ok {
			s.values[key.Name] = canonical
		}
	}
	s.image = s.values[keyImage]
	if s.image == "" && len(config.Dapr.Images) > 0 {
		s.image = config.Dapr.Images[0]
	}
	s.hasConfig = s.values[keyConfig] != ""
	s.metrics = s.values[keyEnableMetrics] != "false"
	s.liveness = s.probe("liveness", probe{delay: 10, timeout: 3, period: 10, threshold: 5})
	s.readiness = s.probe("readiness", probe{delay: 1, timeout: 3, period: 5, threshold: 3})
	return s
}

func (s settings) value(key string) string { return s.values[key] }

// number is a key's value, which its grammar made a number, or a default.
func (s settings) number(key string, byDefault int64) int64 {
	if n, err := strconv.ParseInt(s.values[key], 10, 64); err == nil {
		return n
	}
	return byDefault
}

// shutdownSeconds is how long daprd may take to stop, in the worst case.
func (s settings) shutdownSeconds() int64 {
	block, err := time.ParseDuration(cmp.Or(s.values[keyBlockShutdown], "0s"))
	if err != nil {
		block = 0 // cannot be: the key's grammar is a duration
	}
	return int64((block+time.Second-1)/time.Second) + s.number(keyGracefulShutdown, gracefulShutdownSeconds) + exitSeconds
}

// probe holds the numbers of a probe, in seconds and counts.
type probe struct{ delay, timeout, period, threshold int64 }

func (s settings) probe(name string, byDefault probe) probe {
	prefix := mesh.DaprPrefix + "sidecar-" + name + "-probe-"
	return probe{
		delay:     s.number(prefix+"delay-seconds", byDefault.delay),
		timeout:   s.number(prefix+"timeout-seconds", byDefault.timeout),
		period:    s.number(prefix+"period-seconds", byDefault.period),
		threshold: s.number(prefix+"threshold", byDefault.threshold),
	}
}

func (p probe) probe(handler corev1.ProbeHandler) *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler:        handler,
		InitialDelaySeconds: int32(p.delay),
		TimeoutSeconds:      int32(p.timeout),
		PeriodSeconds:       int32(p.period),
		SuccessThreshold:    1,
		FailureThreshold:    int32(p.threshold),
	}
}

// resources are those of the config file with the user's own in their place. Where one of a user's pair crosses the config file's
// other one, the other one gives way, since the API server refuses a request over its limit.
func (s settings) resources(base corev1.ResourceRequirements) corev1.ResourceRequirements {
	r := *base.DeepCopy()
	for _, pair := range []struct {
		name           corev1.ResourceName
		request, limit string
	}{
		{corev1.ResourceCPU, s.values[keyCPURequest], s.values[keyCPULimit]},
		{corev1.ResourceMemory, s.values[keyMemoryRequest], s.values[keyMemoryLimit]},
	} {
		setQuantity(&r.Requests, pair.name, pair.request)
		setQuantity(&r.Limits, pair.name, pair.limit)
		request, hasRequest := r.Requests[pair.name]
		limit, hasLimit := r.Limits[pair.name]
		switch {
		case !hasRequest || !hasLimit || request.Cmp(limit) <= 0:
		case pair.limit != "":
			r.Requests[pair.name] = limit
		default:
			r.Limits[pair.name] = request
		}
	}
	return r
}

func setQuantity(list *corev1.ResourceList, name corev1.ResourceName, value string) {
	q, err := resource.ParseQuantity(value)
	if err != nil {
		return // not set
	}
	if *list == nil {
		*list = corev1.ResourceList{}
	}
	(*list)[name] = q
}

// envVars are the variables of dapr.io/env, and DAPR_ENV_KEYS, by which Dapr knows them (dapr pkg/security/consts).
func (s settings) envVars() []corev1.EnvVar {
	vars, _ := parseEnv(s.values[keyEnv])
	if len(vars) == 0 {
		return nil
	}
	names := make([]string, len(vars))
	for i, v := range vars {
		names[i] = v.Name
	}
	return append(vars, corev1.EnvVar{Name: envKeys, Value: strings.Join(names, " ")})
}

// parseEnv reads "A=1, B=2". A comma that no "NAME=" follows belongs to the value, as with Dapr. It says false where a variable is set
// twice or the text does not begin with "NAME=".
func parseEnv(text string) ([]corev1.EnvVar, bool) {
	if strings.TrimSpace(text) == "" {
		return nil, false
	}
	starts := regexp.MustCompile(`(?:^|,)\s*([a-zA-Z_][a-zA-Z0-9_]*)=`).FindAllStringSubmatchIndex(text, -1)
	if len(starts) == 0 || starts[0][0] != 0 {
		return nil, false
	}
	vars := make([]corev1.EnvVar, 0, len(starts))
	for i, at := range starts {
		end := len(text)
		if i+1 < len(starts) {
			end = starts[i+1][0]
		}
		name := text[at[2]:at[3]]
		if slices.ContainsFunc(vars, func(v corev1.EnvVar) bool { return v.Name == name }) {
			return nil, false
		}
		vars = append(vars, corev1.EnvVar{Name: name, Value: strings.TrimSpace(text[at[1]:end])})
	}
	return vars, true
}
