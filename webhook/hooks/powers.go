// SPDX-License-Identifier: Apache-2.0

package hooks

import (
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daprise/daprise/mesh"
)

// PowersName and PowersOverImagesName are the names of the policies on daprise's own ServiceAccount and of their bindings.
const (
	PowersName           = "daprise-powers"
	PowersOverImagesName = "daprise-powers-images"
)

// The ConfigMap that the policy is bound to, and its keys. It is the one that holds the config file; daprise itself may not write it.
const (
	ConfigMapName = "daprise-config"
	// KeyConfig is the config file.
	KeyConfig = "config.yaml"
	// KeyImages are the images that companions may run, one a line: the config file's dapr.images.
	KeyImages = "images"
	// KeyAudience is the audience of companions' tokens: sentry's identity.
	KeyAudience = "audience"
)

// Powers holds daprise itself to what it is for. Whoever may create workloads in every namespace could otherwise use every Secret and
// ServiceAccount there, so a fault in daprise, or its stolen token, would be a fault of the whole cluster. It fails closed, it concerns
// requests of that one ServiceAccount alone, and it is evaluated by the API server itself.
func Powers() (*admissionregistrationv1.ValidatingAdmissionPolicy, *admissionregistrationv1.ValidatingAdmissionPolicyBinding) {
	all := append(changes(), admissionregistrationv1.Delete)
	policy := admissionPolicy(PowersName)
	policy.Spec.MatchConstraints.ResourceRules = []admissionregistrationv1.NamedRuleWithOperations{
		named(rule("", "v1", all, "pods", "services", "serviceaccounts", "replicationcontrollers", "podtemplates")),
		named(rule("apps", "v1", all, "deployments", "daemonsets", "replicasets", "statefulsets")),
		named(rule("batch", "v1", all, "jobs", "cronjobs")),
		named(rule("policy", "v1", all, "poddisruptionbudgets")),
		named(rule("dapr.io", "v1alpha1", all, "configurations")),
		named(rule("cilium.io", "v2", all, "ciliumnetworkpolicies", "ciliumlocalredirectpolicies")),
		named(rule("gateway.networking.k8s.io", "v1beta1", all, "referencegrants")),
		named(rule("gateway.networking.k8s.io", "v1", all, "gateways")),
	}
	policy.Spec.MatchConditions = append(isDaprise(), admissionregistrationv1.MatchCondition{
		// What is proven with is never stored.
		Name:       "is-no-proof",
		Expression: "!(request.?dryRun.orValue(false) && request.kind.kind == 'Service' && request.name == '" + ProofName + "')",
	})
	policy.Spec.Variables = powersVariables()
	policy.Spec.Validations = append(powersOverObjects(), append(powersOverPods(), powersOverVolumes()...)...)
	return policy, binding(PowersName)
}

// PowersOverImages holds daprise to the images and the audience of its configuration. It is a policy of its own because it has a
// parameter: the API server looks for that before it evaluates match conditions, so that with parameterNotFoundAction Deny nobody at all
// could write what the policy is for while the ConfigMap is missing, as it is when daprise is being removed. Without the ConfigMap this policy
// is therefore silent, and Powers holds on; daprise itself may not write it.
func PowersOverImages() (*admissionregistrationv1.ValidatingAdmissionPolicy, *admissionregistrationv1.ValidatingAdmissionPolicyBinding) {
	policy := admissionPolicy(PowersOverImagesName)
	policy.Spec.ParamKind = &admissionregistrationv1.ParamKind{APIVersion: "v1", Kind: "ConfigMap"}
	policy.Spec.MatchConstraints.ResourceRules = []admissionregistrationv1.NamedRuleWithOperations{
		named(rule("apps", "v1", changes(), "deployments", "daemonsets")),
	}
	policy.Spec.MatchConditions = isDaprise()
	policy.Spec.Variables = powersVariables()
	policy.Spec.Validations = []admissionregistrationv1.Validation{
		podPower("variables.containers.all(c, c.image in params.data['"+KeyImages+"'].split('\\n'))",
			"the image is not in the list of ConfigMap "+ConfigMapName+", key "+KeyImages),
		podPower("variables.volumes.all(v, !has(v.projected) || v.projected.?sources.orValue([]).all(s, "+
			"!has(s.serviceAccountToken) || s.serviceAccountToken.?audience.orValue('') == params.data['"+KeyAudience+"']))",
			"the audience of a companion's token is not that of ConfigMap "+ConfigMapName+", key "+KeyAudience),
	}
	b := binding(PowersOverImagesName)
	b.Spec.ParamRef = &admissionregistrationv1.ParamRef{
		Name:                    ConfigMapName,
		Namespace:               mesh.SystemNamespace,
		ParameterNotFoundAction: new(admissionregistrationv1.AllowAction),
	}
	return policy, b
}

func isDaprise() []admissionregistrationv1.MatchCondition {
	return []admissionregistrationv1.MatchCondition{
		{Name: "is-daprise", Expression: "request.userInfo.username == '" + serviceAccountUser + "'"},
	}
}

// powersVariables: workload is only true where the template is read, so that no expression fails on an object without one.
func powersVariables() []admissionregistrationv1.Variable {
	return []admissionregistrationv1.Variable{
		{Name: "ours", Expression: "[object, oldObject].all(o, o == null || dyn(o).metadata.?labels['" + mesh.LabelManagedBy + "'].orValue('') == '" + mesh.ManagedByDaprise + "')"},
		{Name: "claimed", Expression: "object != null && dyn(object).metadata.?labels['" + mesh.LabelManagedBy + "'].orValue('') == '" + mesh.ManagedByDaprise + "'"},
		{Name: "instance", Expression: "object == null ? '' : dyn(object).metadata.?labels['" + mesh.LabelInstance + "'].orValue('')"},
		{Name: "sameSpec", Expression: "!variables.claimed && request.operation == 'UPDATE' && (dyn(object).?spec == dyn(oldObject).?spec || " + endpointsOnly() + ")"},
		{Name: "writes", Expression: "request.operation != 'DELETE'"},
		{Name: "workload", Expression: "variables.ours && variables.writes && request.kind.kind in ['Deployment', 'DaemonSet']"},
		{Name: "template", Expression: "variables.workload ? dyn(object).spec.template : dyn({})"},
		{Name: "pod", Expression: "variables.workload ? dyn(object).spec.template.spec : dyn({})"},
		{Name: "containers", Expression: "variables.workload ? variables.pod.containers : dyn([])"},
		{Name: "volumes", Expression: "variables.workload ? variables.pod.?volumes.orValue([]) : dyn([])"},
	}
}

func powersOverObjects() []admissionregistrationv1.Validation {
	return []admissionregistrationv1.Validation{
		// Objects of users are only ever written to have them admitted: those that were annotated before there was a daprise.
		power("variables.ours || variables.sameSpec", "daprise may not change what objects without the label "+mesh.LabelManagedBy+"="+mesh.ManagedByDaprise+" specify"),
		power("!(request.namespace in ['kube-system', '"+mesh.SystemNamespace+"'])", "daprise may make nothing in this namespace"),
		power("!(request.kind.kind in ['Pod', 'ReplicaSet', 'ReplicationController', 'StatefulSet', 'Job', 'CronJob', 'PodTemplate'])", "daprise makes Deployments and DaemonSets alone"),
		power("request.kind.kind != 'Service' || !variables.writes || !variables.ours || (dyn(object).spec.?type.orValue('ClusterIP') == 'ClusterIP' && "+
			"dyn(object).spec.?externalIPs.orValue([]).size() == 0 && '"+mesh.LabelCompanion+"' in dyn(object).spec.?selector.orValue({}))",
			"daprise may make ClusterIP Services of companions alone, without external addresses"),
		power("request.kind.kind != 'ServiceAccount' || !variables.writes || (dyn(object).?automountServiceAccountToken.orValue(true) == false && "+
			"dyn(object).?secrets.orValue([]).size() == 0)", "daprise may make ServiceAccounts without token and Secrets alone"),
		// Without a name a grant opens every Service of its namespace. A name of 63 characters was cut.
		power("request.kind.kind != 'ReferenceGrant' || !variables.writes || (dyn(object).spec.from.all(f, f.group == 'gateway.networking.k8s.io' && f.kind in ['HTTPRoute', 'GRPCRoute']) && "+
			"dyn(object).spec.to.all(t, t.group == '' && t.kind == 'Service' && (t.?name.orValue('').startsWith(variables.instance + '-dapr') || "+
			"(t.?name.orValue('').size() == 63 && t.?name.orValue('').startsWith(variables.instance + '-')))))",
			"daprise may let routes refer to Services of companions alone"),
	}
}

func powersOverPods() []admissionregistrationv1.Validation {
	return []admissionregistrationv1.Validation{
		podPower("'"+mesh.LabelCompanion+"' in variables.template.metadata.?labels.orValue({})", "a companion's pods carry the label "+mesh.LabelCompanion),
		podPower("variables.containers.size() == 1 && variables.containers[0].name == 'daprd'", "a companion has one container, daprd"),
		podPower("variables.pod.?initContainers.orValue([]).size() == 0 && variables.pod.?ephemeralContainers.orValue([]).size() == 0", "a companion has no other containers"),
		podPower("variables.pod.?serviceAccountName.orValue('') == object.metadata.name && variables.pod.?automountServiceAccountToken.orValue(true) == false",
			"a companion runs as its own ServiceAccount, without its token"),
		podPower("[variables.pod.?hostNetwork, variables.pod.?hostPID, variables.pod.?hostIPC, variables.pod.?shareProcessNamespace].all(o, !o.orValue(false)) && "+
			"variables.containers.all(c, c.?ports.orValue([]).all(p, p.?hostPort.orValue(0) == 0))", "a companion shares nothing with its node"),
		podPower("!has(variables.pod.nodeName)", "a companion is placed by the scheduler"),
		podPower("variables.containers.all(c, c.?securityContext.?privileged.orValue(false) == false && c.?securityContext.?allowPrivilegeEscalation.orValue(true) == false && "+
			"c.?securityContext.?capabilities.?add.orValue([]).size() == 0 && !has(c.command) && c.?volumeDevices.orValue([]).size() == 0)",
			"a companion has no privileges and no command of its own"),
		podPower("variables.containers.all(c, c.?envFrom.orValue([]).size() == 0 && c.?env.orValue([]).all(e, !has(e.valueFrom) || has(e.valueFrom.fieldRef)))",
			"a companion's environment reads no Secret and no ConfigMap"),
	}
}

func powersOverVolumes() []admissionregistrationv1.Validation {
	return []admissionregistrationv1.Validation{
		podPower("variables.volumes.size() <= 1 && variables.volumes.all(v, has(v.projected) && v.projected.?sources.orValue([]).all(s, "+
			"has(s.serviceAccountToken) && s.serviceAccountToken.?audience.orValue('').matches('^spiffe://.+/dapr-sentry$')))",
			"a companion's only volume is its token for Dapr's sentry"),
	}
}

// endpointsOnly says in CEL that a Deployment's new version differs from the old one in nothing that matters but in what admission adds:
// the addresses of Dapr's endpoints in its containers' environment.
func endpointsOnly() string {
	const pod = ".spec.template.spec"
	fields := func(object string, names ...string) string {
		var list []string
		for _, name := range names {
			list = append(list, "dyn("+object+".?"+name+")")
		}
		return "[" + strings.Join(list, ", ") + "]"
	}
	rest := func(object string) string {
		return "[dyn(" + fields(object+".spec", "selector", "replicas") + "), dyn(" +
			fields(object+pod, "volumes", "initContainers", "serviceAccountName", "automountServiceAccountToken", "hostNetwork", "hostPID", "hostIPC", "securityContext") +
			"), dyn(" + object + pod + ".containers.map(c, " +
			fields("c", "name", "image", "command", "args", "envFrom", "volumeMounts", "volumeDevices", "ports", "securityContext", "lifecycle") + "))]"
	}
	return "(request.kind.kind == 'Deployment' && " + rest("dyn(object)") + " == " + rest("dyn(oldObject)") + " && " +
		"dyn(object)" + pod + ".containers.all(c, c.?env.orValue([]).all(e, " +
		"(e.name in ['DAPR_HTTP_ENDPOINT', 'DAPR_GRPC_ENDPOINT'] && !has(e.valueFrom)) || " +
		"dyn(oldObject)" + pod + ".containers.exists(o, o.name == c.name && o.?env.orValue([]).exists(f, f == e)))))"
}

func power(expression, message string) admissionregistrationv1.Validation {
	return admissionregistrationv1.Validation{Expression: expression, Message: message, Reason: new(metav1.StatusReasonForbidden)}
}

// podPower is a power over the pods of a workload.
func podPower(expression, message string) admissionregistrationv1.Validation {
	return power("!variables.workload || ("+expression+")", message)
}
