// SPDX-License-Identifier: Apache-2.0

package mesh

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// checkCompanion checks what is copied into every companion's pod as far as the API server would refuse it there, once for every
// companion and far from the file that says it.
func checkCompanion(c CompanionConfig, path *field.Path) field.ErrorList {
	problems := checkResources(c.Resources, path.Child("resources"))
	problems = append(problems, metav1validation.ValidateLabels(c.NodeSelector, path.Child("nodeSelector"))...)
	for i, toleration := range c.Tolerations {
		problems = append(problems, checkToleration(toleration, path.Child("tolerations").Index(i))...)
	}
	problems = append(problems, checkAffinity(c.Affinity, path.Child("affinity"))...)
	if c.PriorityClassName != "" {
		problems = append(problems, checkDomain(c.PriorityClassName, path.Child("priorityClassName"))...)
	}
	for i, secret := range c.ImagePullSecrets {
		problems = append(problems, checkDomain(secret.Name, path.Child("imagePullSecrets").Index(i).Child("name"))...)
	}
	return append(problems, checkEnv(c.Env, path.Child("env"))...)
}

// checkResources allows CPU, memory and ephemeral storage: a companion asks for no devices and claims nothing.
func checkResources(r corev1.ResourceRequirements, path *field.Path) field.ErrorList {
	allowed := []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage}
	var problems field.ErrorList
	for _, list := range []struct {
		name   string
		amount corev1.ResourceList
	}{{"requests", r.Requests}, {"limits", r.Limits}} {
		for _, name := range slices.Sorted(maps.Keys(list.amount)) {
			at := path.Child(list.name).Key(string(name))
			problems = append(problems, oneOf(name, at, allowed...)...)
			if amount := list.amount[name]; amount.Sign() <= 0 {
				problems = append(problems, field.Invalid(at, amount.String(), "not more than zero"))
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.Requests)) {
		request := r.Requests[name]
		if limit, limited := r.Limits[name]; limited && request.Cmp(limit) > 0 {
			problems = append(problems, field.Invalid(path.Child("requests").Key(string(name)), request.String(), "more than its limit, "+limit.String()))
		}
	}
	if len(r.Claims) > 0 {
		problems = append(problems, field.Forbidden(path.Child("claims"), "a companion claims no devices"))
	}
	return problems
}

func checkToleration(t corev1.Toleration, path *field.Path) field.ErrorList {
	var problems field.ErrorList
	if t.Key != "" {
		problems = because(validation.IsQualifiedName(t.Key), t.Key, path.Child("key"))
	} else if t.Operator != corev1.TolerationOpExists {
		problems = append(problems, field.Required(path.Child("key"), "only operator Exists tolerates every key"))
	}
	problems = append(problems, oneOf(t.Operator, path.Child("operator"), "", corev1.TolerationOpEqual, corev1.TolerationOpExists)...)
	if t.Operator == corev1.TolerationOpExists && t.Value != "" {
		problems = append(problems, field.Invalid(path.Child("value"), t.Value, "operator Exists takes no value"))
	}
	problems = append(problems, oneOf(t.Effect, path.Child("effect"),
		"", corev1.TaintEffectNoSchedule, corev1.TaintEffectPreferNoSchedule, corev1.TaintEffectNoExecute)...)
	if t.TolerationSeconds != nil && t.Effect != corev1.TaintEffectNoExecute {
		problems = append(problems, field.Invalid(path.Child("tolerationSeconds"), *t.TolerationSeconds, "only effect NoExecute takes a time"))
	}
	return problems
}

func checkAffinity(a *corev1.Affinity, path *field.Path) field.ErrorList {
	if a == nil {
		return nil
	}
	var problems field.ErrorList
	if a.NodeAffinity != nil {
		problems = checkNodeAffinity(a.NodeAffinity, path.Child("nodeAffinity"))
	}
	if p := a.PodAffinity; p != nil {
		problems = append(problems, checkPodTerms(p.RequiredDuringSchedulingIgnoredDuringExecution, p.PreferredDuringSchedulingIgnoredDuringExecution, path.Child("podAffinity"))...)
	}
	if p := a.PodAntiAffinity; p != nil {
		problems = append(problems, checkPodTerms(p.RequiredDuringSchedulingIgnoredDuringExecution, p.PreferredDuringSchedulingIgnoredDuringExecution, path.Child("podAntiAffinity"))...)
	}
	return problems
}

const (
	required  = "requiredDuringSchedulingIgnoredDuringExecution"
	preferred = "preferredDuringSchedulingIgnoredDuringExecution"
)

func checkNodeAffinity(a *corev1.NodeAffinity, path *field.Path) field.ErrorList {
	var problems field.ErrorList
	if r := a.RequiredDuringSchedulingIgnoredDuringExecution; r != nil {
		terms := path.Child(required, "nodeSelectorTerms")
		if len(r.NodeSelectorTerms) == 0 {
			problems = append(problems, field.Required(terms, "name at least one term"))
		}
		for i, term := range r.NodeSelectorTerms {
			problems = append(problems, checkNodeTerm(term, terms.Index(i))...)
		}
	}
	for i, term := range a.PreferredDuringSchedulingIgnoredDuringExecution {
		at := path.Child(preferred).Index(i)
		problems = append(problems, checkWeight(term.Weight, at)...)
		problems = append(problems, checkNodeTerm(term.Preference, at.Child("preference"))...)
	}
	return problems
}

func checkNodeTerm(term corev1.NodeSelectorTerm, path *field.Path) field.ErrorList {
	var problems field.ErrorList
	for i, e := range term.MatchExpressions {
		at := path.Child("matchExpressions").Index(i)
		problems = append(problems, because(validation.IsQualifiedName(e.Key), e.Key, at.Child("key"))...)
		problems = append(problems, oneOf(e.Operator, at.Child("operator"),
			corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn, corev1.NodeSelectorOpExists,
			corev1.NodeSelectorOpDoesNotExist, corev1.NodeSelectorOpGt, corev1.NodeSelectorOpLt)...)
		unary := e.Operator == corev1.NodeSelectorOpExists || e.Operator == corev1.NodeSelectorOpDoesNotExist
		if unary != (len(e.Values) == 0) {
			problems = append(problems, field.Invalid(at.Child("values"), strings.Join(e.Values, ","), "not the values that the operator takes"))
		}
	}
	return problems
}

func checkPodTerms(must []corev1.PodAffinityTerm, should []corev1.WeightedPodAffinityTerm, path *field.Path) field.ErrorList {
	var problems field.ErrorList
	for i, term := range must {
		problems = append(problems, checkPodTerm(term, path.Child(required).Index(i))...)
	}
	for i, term := range should {
		at := path.Child(preferred).Index(i)
		problems = append(problems, checkWeight(term.Weight, at)...)
		problems = append(problems, checkPodTerm(term.PodAffinityTerm, at.Child("podAffinityTerm"))...)
	}
	return problems
}

func checkPodTerm(term corev1.PodAffinityTerm, path *field.Path) field.ErrorList {
	problems := because(validation.IsQualifiedName(term.TopologyKey), term.TopologyKey, path.Child("topologyKey"))
	for _, selector := range []struct {
		name  string
		value *metav1.LabelSelector
	}{{"labelSelector", term.LabelSelector}, {"namespaceSelector", term.NamespaceSelector}} {
		if selector.value != nil {
			problems = append(problems, checkSelector(*selector.value, path.Child(selector.name))...)
		}
	}
	return problems
}

func checkWeight(weight int32, path *field.Path) field.ErrorList {
	if weight < 1 || weight > 100 {
		return field.ErrorList{field.Invalid(path.Child("weight"), weight, "not from 1 to 100")}
	}
	return nil
}

func checkSelector(s metav1.LabelSelector, path *field.Path) field.ErrorList {
	return metav1validation.ValidateLabelSelector(&s, metav1validation.LabelSelectorValidationOptions{}, path)
}

// checkEnv refuses the names that daprise sets itself: an annotation must not change who a companion is.
func checkEnv(names []string, path *field.Path) field.ErrorList {
	var problems field.ErrorList
	for i, name := range names {
		problems = append(problems, because(validation.IsEnvVarName(name), name, path.Index(i))...)
		if strings.HasPrefix(name, "DAPR_") || slices.Contains([]string{"NAMESPACE", "POD_NAME", "APP_API_TOKEN"}, name) {
			problems = append(problems, field.Forbidden(path.Index(i), name+" is set by daprise"))
		}
	}
	return append(problems, unique(names, path)...)
}

// checkScrapers refuses one that names every pod of the cluster: that is no list of scrapers, and an empty selector is easily written
// by mistake.
func checkScrapers(scrapers []Scraper, path *field.Path) field.ErrorList {
	var problems field.ErrorList
	for i, s := range scrapers {
		problems = append(problems, checkSelector(s.NamespaceSelector, path.Index(i).Child("namespaceSelector"))...)
		problems = append(problems, checkSelector(s.PodSelector, path.Index(i).Child("podSelector"))...)
		if selectsAll(s.NamespaceSelector) && selectsAll(s.PodSelector) {
			problems = append(problems, field.Invalid(path.Index(i), labels.Everything().String(), "names every pod of the cluster; set namespaceSelector or podSelector"))
		}
	}
	return problems
}

func selectsAll(s metav1.LabelSelector) bool {
	return len(s.MatchLabels) == 0 && len(s.MatchExpressions) == 0
}
