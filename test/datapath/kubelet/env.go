// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kubelet

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// environment keeps the order in which variables were set.
type environment struct {
	names  []string
	values map[string]string
}

func (e *environment) set(name, value string) {
	if _, known := e.values[name]; !known {
		e.names = append(e.names, name)
	}
	e.values[name] = value
}

func (e *environment) list() []string {
	list := make([]string, len(e.names))
	for i, name := range e.names {
		list[i] = name + "=" + e.values[name]
	}
	return list
}

// expand replaces $(NAME) by the variable's value where there is one; $$ is
// one dollar sign (API reference, Container.args).
func (e *environment) expand(text string) string {
	var out strings.Builder
	for {
		before, after, found := strings.Cut(text, "$")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		name, rest, closed := strings.Cut(strings.TrimPrefix(after, "("), ")")
		value, known := e.values[name]
		switch {
		case strings.HasPrefix(after, "$"):
			out.WriteString("$")
			text = after[1:]
		case strings.HasPrefix(after, "(") && closed && known:
			out.WriteString(value)
			text = rest
		default:
			out.WriteString("$")
			text = after
		}
	}
}

// env is what a kubelet gives to a container: a search path, the Services of
// its namespace, and the container's own variables, which win.
func (c *container) env(ctx context.Context) (*environment, error) {
	e := &environment{values: map[string]string{}}
	e.set("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
	e.set("HOSTNAME", c.worker.pod.Name)
	if err := c.worker.setServices(ctx, e); err != nil {
		return nil, err
	}
	for _, v := range c.spec.Env {
		if v.ValueFrom == nil {
			e.set(v.Name, e.expand(v.Value))
			continue
		}
		value, set, err := c.valueFrom(ctx, v.ValueFrom)
		if err != nil {
			return nil, fmt.Errorf("variable %s: %w", v.Name, err)
		}
		if set {
			e.set(v.Name, value)
		}
	}
	return e, nil
}

// setServices sets the variables of Services: the API server's always, the
// others unless the Pod does without them.
func (w *podWorker) setServices(ctx context.Context, e *environment) error {
	namespaces := []string{metav1.NamespaceDefault}
	if links := w.pod.Spec.EnableServiceLinks; links == nil || *links {
		namespaces = append(namespaces, w.pod.Namespace)
	}
	for i, namespace := range namespaces {
		services, err := w.k.client.CoreV1().Services(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return fmt.Errorf("list Services: %w", err)
		}
		for _, service := range services.Items {
			if i == 0 && service.Name != "kubernetes" {
				continue
			}
			setService(e, &service)
		}
	}
	return nil
}

func setService(e *environment, service *corev1.Service) {
	ip := service.Spec.ClusterIP
	if ip == "" || ip == corev1.ClusterIPNone || len(service.Spec.Ports) == 0 {
		return
	}
	prefix := strings.ToUpper(strings.ReplaceAll(service.Name, "-", "_"))
	e.set(prefix+"_SERVICE_HOST", ip)
	e.set(prefix+"_SERVICE_PORT", strconv.Itoa(int(service.Spec.Ports[0].Port)))
	for i, port := range service.Spec.Ports {
		number := strconv.Itoa(int(port.Port))
		if port.Name != "" {
			e.set(prefix+"_SERVICE_PORT_"+strings.ToUpper(strings.ReplaceAll(port.Name, "-", "_")), number)
		}
		protocol := strings.ToLower(string(port.Protocol))
		url := protocol + "://" + net.JoinHostPort(ip, number)
		if i == 0 {
			e.set(prefix+"_PORT", url)
		}
		one := prefix + "_PORT_" + number + "_" + string(port.Protocol)
		e.set(one, url)
		e.set(one+"_PROTO", protocol)
		e.set(one+"_PORT", number)
		e.set(one+"_ADDR", ip)
	}
}

// valueFrom says false for an optional reference to what does not exist.
func (c *container) valueFrom(ctx context.Context, source *corev1.EnvVarSource) (string, bool, error) {
	switch {
	case source.FieldRef != nil:
		value, err := c.worker.field(source.FieldRef.FieldPath)
		return value, true, err
	case source.SecretKeyRef != nil:
		ref := source.SecretKeyRef
		data, err := c.worker.secret(ctx, ref.Name)
		return pick(data, ref.Key, optional{ref.Optional}, err)
	case source.ConfigMapKeyRef != nil:
		ref := source.ConfigMapKeyRef
		data, err := c.worker.configMap(ctx, ref.Name)
		return pick(data, ref.Key, optional{ref.Optional}, err)
	case source.ResourceFieldRef != nil:
		value, err := c.resource(source.ResourceFieldRef)
		return value, true, err
	default:
		return "", false, fmt.Errorf("%v is not honoured", source)
	}
}

type optional struct{ flag *bool }

func pick(data map[string][]byte, key string, may optional, err error) (string, bool, error) {
	value, ok := data[key]
	if err == nil && ok {
		return string(value), true, nil
	}
	if may.flag != nil && *may.flag {
		return "", false, nil
	}
	if err == nil {
		err = fmt.Errorf("key %s is missing", key)
	}
	return "", false, err
}

// field is a field of the Pod, of those that the downward API offers.
func (w *podWorker) field(path string) (string, error) {
	pod := w.pod
	key, isLabel := strings.CutPrefix(path, "metadata.labels['")
	if isLabel {
		return pod.Labels[strings.TrimSuffix(key, "']")], nil
	}
	if key, ok := strings.CutPrefix(path, "metadata.annotations['"); ok {
		return pod.Annotations[strings.TrimSuffix(key, "']")], nil
	}
	switch path {
	case "metadata.name":
		return pod.Name, nil
	case "metadata.namespace":
		return pod.Namespace, nil
	case "metadata.uid":
		return string(pod.UID), nil
	case "spec.nodeName":
		return pod.Spec.NodeName, nil
	case "spec.serviceAccountName":
		return pod.Spec.ServiceAccountName, nil
	case "status.podIP", "status.podIPs":
		return w.network.address.String(), nil
	case "status.hostIP", "status.hostIPs":
		return w.k.options.Address.String(), nil
	default:
		return "", fmt.Errorf("field %s is not honoured", path)
	}
}

// resource is a limit or request of the container itself, in units of the
// divisor, rounded up; a limit that is not set is the node's.
func (c *container) resource(ref *corev1.ResourceFieldSelector) (string, error) {
	kind, name, _ := strings.Cut(ref.Resource, ".")
	if !slices.Contains([]string{"limits", "requests"}, kind) || (ref.ContainerName != "" && ref.ContainerName != c.spec.Name) {
		return "", fmt.Errorf("resource %s of %q is not honoured", ref.Resource, ref.ContainerName)
	}
	list := c.spec.Resources.Limits
	if kind == "requests" {
		list = c.spec.Resources.Requests
	}
	quantity, ok := list[corev1.ResourceName(name)]
	if !ok {
		return "", fmt.Errorf("%s is not set", ref.Resource)
	}
	divisor := int64(1000)
	if !ref.Divisor.IsZero() {
		divisor = ref.Divisor.MilliValue()
	}
	if name == string(corev1.ResourceCPU) {
		return strconv.FormatInt((quantity.MilliValue()+divisor-1)/divisor, 10), nil
	}
	unit := max(divisor/1000, 1)
	return strconv.FormatInt((quantity.Value()+unit-1)/unit, 10), nil
}
