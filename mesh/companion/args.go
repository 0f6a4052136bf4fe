// SPDX-License-Identifier: Apache-2.0

package companion

import (
	"cmp"
	"strconv"

	"github.com/daprise/daprise/mesh"
)

// ingressReadBuffer is an ingress companion's limit on a request's headers: Dapr's own of 4Ki answers 431 to ordinary cookies.
const (
	ingressReadBuffer = "32Ki"
	appReadBuffer     = "4Ki"
	maxBody           = "4Mi"
)

// args are daprd's command line (dapr cmd/daprd/options/options.go). The image has no entrypoint, so the program comes first.
func (i instance) args() []string {
	args := []string{
		"/daprd",
		"--mode=kubernetes",
		"--app-id=" + i.ref.ID,
		"--dapr-http-port=" + number(i.httpPort),
		"--dapr-grpc-port=" + number(i.grpcPort),
		"--dapr-internal-grpc-port=" + number(mesh.PortInternal),
		"--dapr-public-port=" + number(mesh.PortPublic),
		"--dapr-listen-addresses=" + i.listenAddress(),
	}
	args = append(args, i.appArgs()...)
	args = append(args, i.controlPlaneArgs()...)
	args = append(args,
		"--config="+i.configurationName(),
		// A companion has no token for the Kubernetes API, and dies without this for want of it.
		"--disable-builtin-k8s-secret-store",
		"--metrics-port="+number(mesh.PortMetrics),
	)
	return append(args, i.keyArgs()...)
}

// listenAddress is where Dapr's API listens: on every address where somebody may use it, and else within the pod alone. It does not
// concern 50002, 3501 and 9090.
func (i instance) listenAddress() string {
	if i.app != nil && !i.app.DaprAPI {
		return "127.0.0.1"
	}
	return "0.0.0.0"
}

// appArgs point daprd at the app's own Service. An ingress companion has no app.
func (i instance) appArgs() []string {
	if i.app == nil {
		return nil
	}
	return []string{
		"--app-channel-address=" + i.app.Service + "." + i.ref.Namespace + ".svc." + i.domain(),
		"--app-port=" + number(i.app.Port),
		"--app-protocol=" + i.app.Protocol,
	}
}

// controlPlaneArgs leave placement and scheduler to companions of apps: an ingress companion hosts neither actors nor jobs.
func (i instance) controlPlaneArgs() []string {
	service := func(name, port string) string {
		return name + "." + i.input.Config.Dapr.ControlPlaneNamespace + ".svc." + i.domain() + ":" + port
	}
	args := []string{
		"--control-plane-address=" + service("dapr-api", "443"),
		"--sentry-address=" + service("dapr-sentry", "443"),
	}
	if i.app != nil {
		args = append(args,
			"--placement-host-address="+service("dapr-placement-server", "50005"),
			"--scheduler-host-address="+service("dapr-scheduler-server-a", "443"))
	}
	if i.input.Config.Dapr.Encryption != mesh.EncryptionCilium {
		args = append(args, "--enable-mtls")
	}
	return args
}

// keyArgs are the flags that a key of Dapr's may set, in the order of the table, with our defaults where no key is set.
func (i instance) keyArgs() []string {
	defaults := i.flagDefaults()
	var args []string
	for _, key := range Keys() {
		if key.Flag == "" || !key.applies(i.kind()) {
			continue
		}
		if value := cmp.Or(i.settings.values[key.Name], defaults[key.Flag]); value != "" {
			args = append(args, key.Flag+"="+value)
		}
	}
	return args
}

// flagDefaults also translate the two keys that Dapr keeps for compatibility; the newer key wins, as with Dapr.
func (i instance) flagDefaults() map[string]string {
	readBuffer := appReadBuffer
	if i.app == nil {
		readBuffer = ingressReadBuffer
	}
	if legacy := i.settings.values[keyHTTPReadBufferSize]; legacy != "" {
		readBuffer = legacy + "Ki"
	}
	body := maxBody
	if legacy := i.settings.values[keyHTTPMaxRequestSize]; legacy != "" {
		body = legacy + "Mi"
	}
	return map[string]string{
		"--log-level":                      "info",
		"--log-as-json":                    "true",
		"--enable-metrics":                 "true",
		"--dapr-graceful-shutdown-seconds": strconv.Itoa(gracefulShutdownSeconds),
		"--max-body-size":                  body,
		"--read-buffer-size":               readBuffer,
	}
}

func (i instance) kind() string {
	if i.app == nil {
		return kindGateway
	}
	return i.owner.Object.Kind
}

func (i instance) domain() string {
	return cmp.Or(i.input.Config.Cluster.Domain, defaultClusterDomain)
}

func number(n int32) string { return strconv.Itoa(int(n)) }
