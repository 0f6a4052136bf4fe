// SPDX-License-Identifier: Apache-2.0

package mesh

import (
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Limits of replicas, in the config file and in daprise.dev/replicas.
const (
	MinReplicas = 1
	MaxReplicas = 100
)

// checkConfig says what is wrong with the values of a decoded and defaulted file.
func checkConfig(c Config) field.ErrorList {
	var problems field.ErrorList
	if c.APIVersion != ConfigAPIVersion {
		problems = append(problems, field.NotSupported(field.NewPath("apiVersion"), c.APIVersion, []string{ConfigAPIVersion}))
	}
	if c.Kind != ConfigKind {
		problems = append(problems, field.NotSupported(field.NewPath("kind"), c.Kind, []string{ConfigKind}))
	}
	problems = append(problems, checkDefaults(c.Defaults, field.NewPath("defaults"))...)
	problems = append(problems, checkDapr(c.Dapr, field.NewPath("dapr"))...)
	problems = append(problems, checkDomain(c.Cluster.Domain, field.NewPath("cluster", "domain"))...)
	problems = append(problems, oneOf(c.Gateway.Implementation, field.NewPath("gateway", "implementation"), GatewayCilium, GatewayTraefik)...)
	problems = append(problems, checkNamespace(c.Cilium.Namespace, field.NewPath("cilium", "namespace"))...)
	problems = append(problems, checkCompanion(c.Companion, field.NewPath("companion"))...)
	problems = append(problems, checkScrapers(c.Scrapers, field.NewPath("scrapers"))...)
	exempt := field.NewPath("exemptNamespaces")
	for i, namespace := range c.ExemptNamespaces {
		problems = append(problems, checkNamespace(namespace, exempt.Index(i))...)
	}
	return append(problems, unique(c.ExemptNamespaces, exempt)...)
}

func checkDefaults(d DefaultsConfig, path *field.Path) field.ErrorList {
	problems := oneOf(d.Coverage, path.Child("coverage"), ModeAudit, ModeWarn, ModeEnforce, ModeStrict)
	problems = append(problems, oneOf(d.Policies, path.Child("policies"), PoliciesManual, PoliciesGenerate)...)
	problems = append(problems, oneOf(d.Invoke, path.Child("invoke"), InvokePrefix, InvokeHeader)...)
	if d.Replicas < MinReplicas || d.Replicas > MaxReplicas {
		problems = append(problems, field.Invalid(path.Child("replicas"), d.Replicas, "not from 1 to 100"))
	}
	return problems
}

func checkDapr(d DaprConfig, path *field.Path) field.ErrorList {
	var problems field.ErrorList
	if !matches(d.Version, `[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?`) {
		problems = append(problems, field.Invalid(path.Child("version"), d.Version, "not a version like 1.18.2"))
	}
	images := path.Child("images")
	if len(d.Images) == 0 {
		problems = append(problems, field.Required(images, "name at least one image; the first is the default"))
	}
	for i, image := range d.Images {
		if !isImage(image) {
			problems = append(problems, field.Invalid(images.Index(i), image, "not an image reference with a tag or a digest, like ghcr.io/dapr/daprd:1.18.2"))
		}
	}
	problems = append(problems, unique(d.Images, images)...)
	problems = append(problems, checkNamespace(d.ControlPlaneNamespace, path.Child("controlPlaneNamespace"))...)
	problems = append(problems, checkDomain(d.TrustDomain, path.Child("trustDomain"))...)
	return append(problems, oneOf(d.Encryption, path.Child("encryption"), EncryptionDapr, EncryptionCilium)...)
}

// isImage knows the grammar of image references as far as a pod needs it: an optional host with a port, lower-case path, a tag, a
// digest, or both. Without either, what runs would depend on the day.
func isImage(image string) bool {
	const (
		host   = `([A-Za-z0-9.-]+(:[0-9]{1,5})?/)?`
		part   = `[a-z0-9]+([._-]+[a-z0-9]+)*`
		tag    = `:[A-Za-z0-9_][A-Za-z0-9._-]{0,127}`
		digest = `@sha256:[0-9a-f]{64}`
	)
	return len(image) <= 512 && matches(image, host+part+`(/`+part+`)*(`+tag+`|`+digest+`|`+tag+digest+`)`)
}

// matches says whether the whole of a value has a form. Patterns are constants of this package.
func matches(value, pattern string) bool {
	return regexp.MustCompile(`^(?:` + pattern + `)$`).MatchString(value)
}

func checkDomain(domain string, path *field.Path) field.ErrorList {
	return because(validation.IsDNS1123Subdomain(domain), domain, path)
}

func checkNamespace(name string, path *field.Path) field.ErrorList {
	return because(validation.IsDNS1123Label(name), name, path)
}

// because turns the reasons of a check of apimachinery into errors.
func because(reasons []string, value string, path *field.Path) field.ErrorList {
	var problems field.ErrorList
	for _, reason := range reasons {
		problems = append(problems, field.Invalid(path, value, reason))
	}
	return problems
}

// oneOf is a NotSupported with the allowed values, in their order, unless the value is among them.
func oneOf[T ~string](value T, path *field.Path, allowed ...T) field.ErrorList {
	if slices.Contains(allowed, value) {
		return nil
	}
	quoted := make([]string, len(allowed))
	for i, a := range allowed {
		quoted[i] = string(a)
	}
	return field.ErrorList{field.Invalid(path, value, "not one of "+strings.Join(quoted, ", "))}
}

func unique(values []string, path *field.Path) field.ErrorList {
	var problems field.ErrorList
	for i, value := range values {
		if slices.Contains(values[:i], value) {
			problems = append(problems, field.Duplicate(path.Index(i), value))
		}
	}
	return problems
}
