// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/daprise/daprise/mesh"
)

// Where the serving certificate comes from.
const (
	// tlsSelf keeps a CA of our own in a Secret and writes it into the webhook configurations.
	tlsSelf = "self"
	// tlsFiles reads tls.crt and tls.key, which somebody else renews: cert-manager, with its injector for the configurations.
	tlsFiles = "files"
)

// settings are what the command line says. What concerns the mesh is in the config file.
type settings struct {
	config      string
	kubeconfig  string
	bindAddress string
	webhookPort int
	metricsPort int
	healthPort  int
	profilePort int
	namespace   string
	tls         string
	tlsCertDir  string
	tlsNames    []string
	leave       leave
	logLevel    slog.Level
	version     bool
	// proofNamespace is where a Service that must be refused is sent as a dry run, proofInterval how often; zero is never.
	proofNamespace string
	proofInterval  time.Duration
	callers        callers
}

var (
	errConfig = errors.New("--config is required")
	errTLS    = errors.New("--tls must be " + tlsSelf + " or " + tlsFiles)
	errDir    = errors.New("--tls=" + tlsFiles + " needs --tls-cert-dir")
	errProof  = errors.New("--proof-interval must be 0 or at least 1s")
)

// parse reads the command line. Errors have been told to out already when they are flag.ErrHelp.
func parse(args []string, out io.Writer) (settings, error) {
	s := settings{}
	flags := flag.NewFlagSet("daprise-webhook", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.StringVar(&s.config, "config", "", "the config file ("+mesh.ConfigAPIVersion+")")
	flags.StringVar(&s.kubeconfig, "kubeconfig", "", "how to reach the API server (default: as a pod does)")
	flags.StringVar(&s.bindAddress, "bind-address", "", "the address of all three ports (default: all addresses)")
	flags.IntVar(&s.webhookPort, "webhook-port", 9443, "/mutate and /validate, over TLS")
	flags.IntVar(&s.metricsPort, "metrics-port", 8080, "/metrics; 0 for none")
	flags.IntVar(&s.profilePort, "profile-port", 0, "/debug/pprof on 127.0.0.1, for whoever looks where time and memory go; 0 for none")
	flags.IntVar(&s.healthPort, "health-port", 8081, "/healthz and /readyz")
	flags.StringVar(&s.namespace, "namespace", mesh.SystemNamespace, "the namespace of daprise itself: its lease, CA and Service")
	flags.StringVar(&s.tls, "tls", tlsSelf, tlsSelf+": our own CA, written into the webhook configurations; "+tlsFiles+": tls.crt and tls.key of --tls-cert-dir")
	flags.StringVar(&s.tlsCertDir, "tls-cert-dir", "", "the folder of tls.crt and tls.key")
	names := flags.String("tls-names", "", "more names or addresses that the certificate is for, comma separated")
	flags.DurationVar(&s.leave.lameDuck, "lame-duck", 10*time.Second, "how long to keep serving after SIGTERM, not ready, while the API server finds another replica")
	flags.DurationVar(&s.leave.linger, "linger", clientIdleTime+5*time.Second, "how long after SIGTERM to leave connections open that the API server does not use, at most: it ends them itself after 90s")
	flags.TextVar(&s.logLevel, "log-level", slog.LevelInfo, "DEBUG, INFO, WARN or ERROR")
	flags.StringVar(&s.callers.caFile, "client-ca-file", "", "CAs of client certificates, in PEM: whoever calls the webhook port must present one (default: anyone may call)")
	callerNames := flags.String("client-names", "", "common names of client certificates that are let in, comma separated (default: any that the CAs signed)")
	flags.StringVar(&s.proofNamespace, "proof-namespace", "default", "the namespace in which, as a dry run, a Service is created that must be refused; it must not be exempt from admission")
	flags.DurationVar(&s.proofInterval, "proof-interval", time.Minute, "how often that is tried, at least 1s; 0 for never")
	flags.BoolVar(&s.version, "version", false, "print the version and end")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	if flags.NArg() > 0 {
		return s, fmt.Errorf("unknown argument %q", flags.Arg(0))
	}
	s.tlsNames, s.callers.names = listed(*names), listed(*callerNames)
	return s, s.check()
}

// listed are the elements of a list with commas.
func listed(text string) []string {
	var all []string
	for one := range strings.SplitSeq(text, ",") {
		if one = strings.TrimSpace(one); one != "" {
			all = append(all, one)
		}
	}
	return all
}

func (s settings) check() error {
	switch {
	case s.version:
		return nil
	case s.config == "":
		return errConfig
	case s.tls != tlsSelf && s.tls != tlsFiles:
		return errTLS
	case s.tls == tlsFiles && s.tlsCertDir == "":
		return errDir
	case s.proofInterval != 0 && s.proofInterval < time.Second:
		return errProof
	case len(s.callers.names) > 0 && s.callers.caFile == "":
		return errNoCallerCA
	}
	return nil
}

func (s settings) address(port int) string {
	return net.JoinHostPort(s.bindAddress, strconv.Itoa(port))
}

// metricsAddress is "0" for none, as controller-runtime wants it.
func (s settings) metricsAddress() string {
	if s.metricsPort == 0 {
		return "0"
	}
	return s.address(s.metricsPort)
}

// profileAddress is of this pod alone, or empty for none: profiles tell what memory holds.
func (s settings) profileAddress() string {
	if s.profilePort == 0 {
		return ""
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.profilePort))
}

// serviceName is the name by which the API server calls the Service, and verifies our certificate.
func (s settings) serviceName() string {
	return mesh.WebhookService + "." + s.namespace + ".svc"
}

// names are all names and addresses that the certificate is for.
func (s settings) names() (dns []string, addresses []net.IP) {
	for _, name := range append([]string{s.serviceName()}, s.tlsNames...) {
		if ip := net.ParseIP(name); ip != nil {
			addresses = append(addresses, ip)
		} else {
			dns = append(dns, name)
		}
	}
	slices.Sort(dns)
	return slices.Compact(dns), addresses
}
