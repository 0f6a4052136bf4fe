// SPDX-License-Identifier: Apache-2.0

package manifests

import (
	"crypto/sha256"
	"encoding/hex"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/webhook/hooks"
)

// Image of the server. Overlays replace it with kustomize's images field.
const Image = imageName + ":v0.1.0"

const imageName = "ghcr.io/daprise/daprise-webhook"

const (
	container    = "daprise-webhook"
	configFolder = "/etc/daprise"
	portWebhook  = 9443
	portMetrics  = 8080
	portHealth   = 8081
	user         = 65532
	replicas     = 2
	// graceSeconds leave time for lingering (95), the last answers (10) and the controllers.
	graceSeconds = 150
)

func service() *corev1.Service {
	port := func(name string, number int32) corev1.ServicePort {
		return corev1.ServicePort{Name: name, Port: number, TargetPort: intstr.FromString(name), Protocol: corev1.ProtocolTCP}
	}
	return &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: meta(mesh.WebhookService),
		Spec: corev1.ServiceSpec{
			Type:     corev1.ServiceTypeClusterIP,
			Selector: selector(),
			Ports:    []corev1.ServicePort{port("webhook", 443), port("metrics", portMetrics)},
		},
	}
}

func selector() map[string]string {
	return map[string]string{"app.kubernetes.io/name": mesh.WebhookService}
}

func disruptionBudget() *policyv1.PodDisruptionBudget {
	return &policyv1.PodDisruptionBudget{
		TypeMeta:   metav1.TypeMeta{APIVersion: "policy/v1", Kind: "PodDisruptionBudget"},
		ObjectMeta: meta(mesh.WebhookService),
		Spec: policyv1.PodDisruptionBudgetSpec{
			MinAvailable: new(intstr.FromInt32(1)),
			Selector:     &metav1.LabelSelector{MatchLabels: selector()},
			// A replica that is not ready serves nobody and must not stand in the way of a drain.
			UnhealthyPodEvictionPolicy: new(policyv1.AlwaysAllow),
		},
	}
}

// deployment starts a new replica before it ends an old one, so that two serve at all times.
func deployment(config *corev1.ConfigMap) *appsv1.Deployment {
	sum := sha256.Sum256([]byte(config.Data[hooks.KeyConfig]))
	return &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: meta(mesh.WebhookService),
		Spec: appsv1.DeploymentSpec{
			Replicas:             new(int32(replicas)),
			RevisionHistoryLimit: new(int32(3)),
			Selector:             &metav1.LabelSelector{MatchLabels: selector()},
			Strategy: appsv1.DeploymentStrategy{
				Type:          appsv1.RollingUpdateDeploymentStrategyType,
				RollingUpdate: &appsv1.RollingUpdateDeployment{MaxUnavailable: new(intstr.FromInt32(0)), MaxSurge: new(intstr.FromInt32(1))},
			},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{
					Labels: labels(),
					// The file is read at start.
					Annotations: map[string]string{"daprise.dev/config-hash": hex.EncodeToString(sum[:8])},
				},
				Spec: pod(),
			},
		},
	}
}

func pod() corev1.PodSpec {
	return corev1.PodSpec{
		ServiceAccountName:            mesh.WebhookService,
		AutomountServiceAccountToken:  new(true),
		EnableServiceLinks:            new(false),
		TerminationGracePeriodSeconds: new(int64(graceSeconds)),
		NodeSelector:                  map[string]string{corev1.LabelOSStable: "linux"},
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot: new(true), RunAsUser: new(int64(user)), RunAsGroup: new(int64(user)),
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		// Preferred and not required: a cluster of one node must still be able to run two.
		Affinity: &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
			PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{{
				Weight: 100,
				PodAffinityTerm: corev1.PodAffinityTerm{
					TopologyKey: corev1.LabelHostname, LabelSelector: &metav1.LabelSelector{MatchLabels: selector()},
				},
			}},
		}},
		TopologySpreadConstraints: []corev1.TopologySpreadConstraint{{
			MaxSkew: 1, TopologyKey: corev1.LabelTopologyZone, WhenUnsatisfiable: corev1.ScheduleAnyway,
			LabelSelector: &metav1.LabelSelector{MatchLabels: selector()},
		}},
		Containers: []corev1.Container{server()},
		Volumes: []corev1.Volume{{Name: "config", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
			LocalObjectReference: corev1.LocalObjectReference{Name: hooks.ConfigMapName},
			Items:                []corev1.KeyToPath{{Key: hooks.KeyConfig, Path: hooks.KeyConfig}},
		}}}},
	}
}

func server() corev1.Container {
	port := func(name string, number int32) corev1.ContainerPort {
		return corev1.ContainerPort{Name: name, ContainerPort: number, Protocol: corev1.ProtocolTCP}
	}
	probe := func(path string, period int32) *corev1.Probe {
		return &corev1.Probe{
			ProbeHandler:     corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path, Port: intstr.FromString("health")}},
			PeriodSeconds:    period,
			TimeoutSeconds:   2,
			FailureThreshold: 3,
		}
	}
	return corev1.Container{
		Name:            container,
		Image:           Image,
		ImagePullPolicy: corev1.PullIfNotPresent,
		Args:            []string{"--config=" + configFolder + "/" + hooks.KeyConfig},
		// A little under the limit, so that the garbage collector works harder before the kernel kills. Until there it works seldom: what it
		// holds is mostly caches, and every call leaves some garbage.
		Env:            []corev1.EnvVar{{Name: "GOMEMLIMIT", Value: "450MiB"}, {Name: "GOGC", Value: "300"}},
		Ports:          []corev1.ContainerPort{port("webhook", portWebhook), port("metrics", portMetrics), port("health", portHealth)},
		LivenessProbe:  probe("/healthz", 10),
		ReadinessProbe: probe("/readyz", 2),
		Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("128Mi")},
			Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("512Mi")},
		},
		SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: new(false),
			ReadOnlyRootFilesystem:   new(true),
			RunAsNonRoot:             new(true),
			Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			SeccompProfile:           &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		VolumeMounts: []corev1.VolumeMount{{Name: "config", MountPath: configFolder, ReadOnly: true}},
	}
}
