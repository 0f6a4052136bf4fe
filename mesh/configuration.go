// SPDX-License-Identifier: Apache-2.0

package mesh

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// AnnotationConfig names a Configuration of Dapr's that an app's companion runs with in place of daprise's.
const AnnotationConfig = DaprPrefix + "config"

// PublicTrustDomain is what Dapr's sentry puts into the identity of an app whose Configuration names no trust domain
// (dapr pkg/sentry/server/validator/kubernetes).
const PublicTrustDomain = "public"

// Configuration is what decisions read of one of Dapr's Configurations that users write (dapr pkg/apis/configuration/v1alpha1).
type Configuration struct {
	Name Name
	// Content is its spec as JSON: Dapr reads it once, at start, so that a change of it rolls the pods that use it.
	Content string
	// AccessControl is nil where the spec has none that says anything: then Dapr lets in everybody.
	AccessControl *AccessControl
}

// AccessControl is who may invoke an app, as Dapr judges it (dapr pkg/acl).
type AccessControl struct {
	DefaultAction string         `json:"defaultAction"`
	TrustDomain   string         `json:"trustDomain"`
	Policies      []AccessPolicy `json:"policies"`
}

// AccessPolicy is about one caller.
type AccessPolicy struct {
	AppID         string            `json:"appId"`
	Namespace     string            `json:"namespace"`
	TrustDomain   string            `json:"trustDomain"`
	DefaultAction string            `json:"defaultAction"`
	Operations    []AccessOperation `json:"operations"`
}

// AccessOperation is what a caller may do at some of an app's paths.
type AccessOperation struct {
	Action string `json:"action"`
}

// ConfigurationOf reads a Configuration. What does not have the form that Dapr's schema asks for says nothing.
func ConfigurationOf(object *unstructured.Unstructured) Configuration {
	c := Configuration{Name: Name{Namespace: object.GetNamespace(), Name: object.GetName()}}
	content, err := json.Marshal(object.Object["spec"])
	if err != nil {
		return c // cannot be: it came from JSON
	}
	c.Content = string(content)
	var spec struct {
		AccessControl *AccessControl `json:"accessControl"`
	}
	if err := json.Unmarshal(content, &spec); err != nil {
		return c
	}
	if a := spec.AccessControl; a != nil && (a.DefaultAction != "" || a.TrustDomain != "" || len(a.Policies) > 0) {
		c.AccessControl = a
	}
	return c
}

// Admits says whether Dapr lets a caller of a trust domain invoke anything at all; which operations is not looked at.
func (c Configuration) Admits(caller AppRef, trustDomain string) bool {
	if c.AccessControl == nil {
		return true
	}
	i := slices.IndexFunc(c.AccessControl.Policies, func(p AccessPolicy) bool {
		return p.AppID == caller.ID && p.Namespace == caller.Namespace && p.TrustDomain == trustDomain
	})
	if i < 0 {
		return c.AdmitsAnybody()
	}
	p := c.AccessControl.Policies[i]
	if slices.ContainsFunc(p.Operations, func(o AccessOperation) bool { return allows(o.Action) }) {
		return true
	}
	if p.DefaultAction == "" {
		return c.AdmitsAnybody()
	}
	return allows(p.DefaultAction)
}

// AdmitsAnybody says whether Dapr lets in callers that the Configuration does not name. Without a default action it does not, where
// there are policies (dapr pkg/acl, ParseAccessControlSpec).
func (c Configuration) AdmitsAnybody() bool {
	return c.AccessControl == nil || allows(c.AccessControl.DefaultAction)
}

func allows(action string) bool { return strings.EqualFold(action, "allow") }

// TrustDomain is the trust domain of those who run with the Configuration.
func (c Configuration) TrustDomain() string {
	if c.AccessControl == nil || c.AccessControl.TrustDomain == "" {
		return PublicTrustDomain
	}
	return c.AccessControl.TrustDomain
}

// Configuration is the Configuration that an app names in place of daprise's, or empty.
func (a App) Configuration() string { return a.Dapr[AnnotationConfig] }

// ConfigurationOf finds the Configuration that an app names. It says false where the app names none, and where there is none of that name.
func (v *View) ConfigurationOf(app App) (Configuration, bool) {
	i := slices.IndexFunc(v.Configurations, func(c Configuration) bool {
		return c.Name == Name{Namespace: app.Namespace, Name: app.Configuration()}
	})
	if i < 0 {
		return Configuration{}, false
	}
	return v.Configurations[i], true
}

// TrustDomain is the trust domain in a caller's identity, that of its own Configuration. Callers that are not enrolled count as public.
func (v *View) TrustDomain(caller AppRef) string {
	if len(v.Configurations) == 0 {
		return PublicTrustDomain
	}
	if app, ok := v.App(caller); ok {
		if c, ok := v.ConfigurationOf(app); ok {
			return c.TrustDomain()
		}
	}
	return PublicTrustDomain
}

// CheckConfiguration (DPR312) says what is wrong with the Configuration that an app names, given all who may call the app: it is not
// there, or Dapr would let in others than network policy does. The findings are warnings about the object that asks for the app.
func (v *View) CheckConfiguration(app App, callers []AppRef) []Finding {
	if app.Configuration() == "" {
		return nil
	}
	name := Object{APIVersion: "dapr.io/v1alpha1", Kind: "Configuration", Namespace: app.Namespace, Name: app.Configuration()}
	warning := func(message, fix string) Finding {
		return Finding{
			Code: CodeConfiguration, Severity: Warn, Object: app.Owner.Object, Field: annotationField(AnnotationConfig),
			Message: name.String() + " " + message, Fix: fix,
		}
	}
	c, found := v.ConfigurationOf(app)
	if !found {
		return []Finding{warning("does not exist: Dapr does not start without it, so that the companion is not started or rolled", "Create it, or remove the annotation.")}
	}
	var findings []Finding
	if refused := v.refused(c, callers); len(refused) > 0 {
		findings = append(findings, warning("refuses "+enumerate(refused, "and")+", which may call the app", "Allow them in its spec.accessControl, or take them out of "+AnnotationCallers+" and the routes."))
	}
	if c.AdmitsAnybody() {
		findings = append(findings, warning("lets in every caller, so that network policy alone says who may call the app", "Set spec.accessControl.defaultAction to deny and allow the callers."))
	}
	return findings
}

// refused are the callers that a Configuration keeps out, the first three by name.
func (v *View) refused(c Configuration, callers []AppRef) []string {
	var refused []string
	for _, caller := range callers {
		// Without Dapr's mTLS nobody has an identity, and no policy is about anybody.
		if v.Config.Dapr.Encryption == EncryptionCilium && !c.AdmitsAnybody() || !c.Admits(caller, v.TrustDomain(caller)) {
			refused = append(refused, caller.String())
		}
	}
	slices.Sort(refused)
	refused = slices.Compact(refused)
	const most = 3
	if more := len(refused) - most; more > 0 {
		refused = append(refused[:most], fmt.Sprintf("%d more", more))
	}
	return refused
}
