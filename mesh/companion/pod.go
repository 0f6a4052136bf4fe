// SPDX-License-Identifier: Apache-2.0

package companion

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/daprise/daprise/mesh"
)

// Parts of a daprd pod that Dapr fixes (dapr pkg/injector/consts, pkg/security/consts, pkg/sentry/server/validator/kubernetes).
const (
	containerName   = "daprd"
	tokenVolume     = "dapr-identity-token"
	tokenMountPath  = "/var/run/secrets/dapr.io/sentrytoken"
	tokenPath       = "token"
	tokenSeconds    = 7200
	tokenMode       = 0o644
	nonRootUser     = 65532
	readinessPath   = "/v1.0/healthz/outbound"
	sentryComponent = "dapr-sentry"
)

// Variables of the container that daprise sets.
const (
	envNamespace               = "NAMESPACE"
	envPodName                 = "POD_NAME"
	envHostIP                  = "DAPR_HOST_IP"
	envTrustAnchors            = "DAPR_TRUST_ANCHORS"
	envControlPlaneNamespace   = "DAPR_CONTROLPLANE_NAMESPACE"
	envControlPlaneTrustDomain = "DAPR_CONTROLPLANE_TRUST_DOMAIN"
	envKeys                    = "DAPR_ENV_KEYS"
)

func ownVariables() []string {
	return []string{envNamespace, envPodName, envHostIP, envTrustAnchors, envControlPlaneNamespace, envControlPlaneTrustDomain, envKeys}
}

// AnnotationConfiguration on a companion's pod template holds a hash of its Configuration's content: Dapr reads a Configuration once,
// at start, so a change has to roll the pods. (Trust anchors and daprise's config file are in the template themselves.)
const AnnotationConfiguration = mesh.Prefix + "configuration"

// What a pod that is being deleted waits for, still serving.
const (
	// noticeSeconds is how long gateways take to learn from EndpointSlices that it leaves.
	noticeSeconds = 5
	// dnsSeconds is how long an answer of the cluster's DNS may name it: the TTL, in CoreDNS's usual configuration.
	dnsSeconds = 30
	// callerSeconds is how long a calling daprd keeps an answer (dapr pkg/messaging/direct_messaging.go, resolverCacheTTL). It
	// chooses the address once for each request: its retries go to the same pod and lose the request where that is gone.
	callerSeconds = 20
)

// preStopSeconds is how long a pod that is being deleted keeps serving until nobody sends it anything more. Ingress companions are
// found by EndpointSlices alone; companions of apps are found by DNS.
func (i instance) preStopSeconds() int64 {
	if i.app == nil {
		return noticeSeconds
	}
	return noticeSeconds + dnsSeconds + callerSeconds
}

// podTemplate never carries dapr.io/enabled: on a template, that annotation makes Dapr's operator take over the Service `<app-id>-dapr`
// (dapr pkg/operator/handlers/dapr_handler.go).
func (i instance) podTemplate() corev1.PodTemplateSpec {
	spec := placement(i.input.Config.Companion)
	spec.ServiceAccountName = i.name()
	spec.AutomountServiceAccountToken = new(false)
	spec.EnableServiceLinks = new(false)
	spec.RestartPolicy = corev1.RestartPolicyAlways
	spec.TerminationGracePeriodSeconds = new(i.preStopSeconds() + i.settings.shutdownSeconds())
	spec.SecurityContext = &corev1.PodSecurityContext{
		RunAsNonRoot:   new(true),
		RunAsUser:      new(int64(nonRootUser)),
		RunAsGroup:     new(int64(nonRootUser)),
		SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
	spec.Containers = []corev1.Container{i.container()}
	spec.Volumes = []corev1.Volume{i.identityVolume()}
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{
			Labels: mesh.PodLabels(i.ref.ID, i.component),
			Annotations: map[string]string{
				mesh.AnnotationAppID:    i.ref.ID,
				mesh.AnnotationConfig:   i.configurationName(),
				AnnotationConfiguration: i.configurationHash(),
			},
		},
		Spec: spec,
	}
}

func (i instance) container() corev1.Container {
	return corev1.Container{
		Name:            containerName,
		Image:           i.settings.image,
		ImagePullPolicy: corev1.PullIfNotPresent,
		Args:            i.args(),
		Env:             i.env(),
		Ports:           i.containerPorts(),
		Resources:       i.settings.resources(i.input.Config.Companion.Resources),
		VolumeMounts:    []corev1.VolumeMount{{Name: tokenVolume, MountPath: tokenMountPath, ReadOnly: true}},
		// TCP, not /v1.0/healthz: that stays 500 until the app listens, and would restart the companions of apps scaled to zero.
		LivenessProbe: i.settings.liveness.probe(corev1.ProbeHandler{
			TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(mesh.PortPublic)},
		}),
		ReadinessProbe: i.settings.readiness.probe(corev1.ProbeHandler{
			HTTPGet: &corev1.HTTPGetAction{Path: readinessPath, Port: intstr.FromInt32(mesh.PortPublic), Scheme: corev1.URISchemeHTTP},
		}),
		// The sleep action needs no program in the image; the API server knows it, enabled, since Kubernetes 1.30 (KEP-3960).
		Lifecycle: &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: i.preStopSeconds()}}},
		SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: new(false),
			RunAsNonRoot:             new(true),
			RunAsUser:                new(int64(nonRootUser)),
			RunAsGroup:               new(int64(nonRootUser)),
			ReadOnlyRootFilesystem:   new(true),
			Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			SeccompProfile:           &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
	}
}

// containerPorts leaves out 3501: it serves metadata without a token and is for the kubelet's probes alone.
func (i instance) containerPorts() []corev1.ContainerPort {
	port := func(name string, number int32) corev1.ContainerPort {
		return corev1.ContainerPort{Name: name, ContainerPort: number, Protocol: corev1.ProtocolTCP}
	}
	ports := []corev1.ContainerPort{
		port(portNameHTTP, i.httpPort),
		port(portNameGRPC, i.grpcPort),
		port(portNameInternal, mesh.PortInternal),
	}
	if i.settings.metrics {
		ports = append(ports, port(portNameMetrics, mesh.PortMetrics))
	}
	return ports
}

// identityVolume is the token by which sentry knows the pod, and the pod's only volume.
func (i instance) identityVolume() corev1.Volume {
	dapr := i.input.Config.Dapr
	return corev1.Volume{
		Name: tokenVolume,
		VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
			DefaultMode: new(int32(tokenMode)),
			Sources: []corev1.VolumeProjection{{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{
				Audience:          "spiffe://" + dapr.TrustDomain + "/ns/" + dapr.ControlPlaneNamespace + "/" + sentryComponent,
				ExpirationSeconds: new(int64(tokenSeconds)),
				Path:              tokenPath,
			}}},
		}},
	}
}

func (i instance) env() []corev1.EnvVar {
	dapr := i.input.Config.Dapr
	field := func(name, path string) corev1.EnvVar {
		return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{
			FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: path},
		}}
	}
	env := []corev1.EnvVar{
		{Name: envNamespace, Value: i.ref.Namespace},
		field(envPodName, "metadata.name"),
		field(envHostIP, "status.podIP"),
		{Name: envTrustAnchors, Value: i.input.TrustAnchors},
		{Name: envControlPlaneNamespace, Value: dapr.ControlPlaneNamespace},
		{Name: envControlPlaneTrustDomain, Value: dapr.TrustDomain},
	}
	return append(env, i.settings.envVars()...)
}

// placement copies the pod's part of the config file, so that nothing rendered is shared with the argument.
func placement(c mesh.CompanionConfig) corev1.PodSpec {
	spec := corev1.PodSpec{
		NodeSelector:      c.NodeSelector,
		Tolerations:       c.Tolerations,
		Affinity:          c.Affinity,
		PriorityClassName: c.PriorityClassName,
		ImagePullSecrets:  c.ImagePullSecrets,
	}
	return *spec.DeepCopy()
}
