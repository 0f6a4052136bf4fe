// SPDX-License-Identifier: Apache-2.0

// Command cilium116 is the policy engine of Cilium 1.16: it answers the requests of package wire on its standard input.
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/cilium/cilium/pkg/fqdn/re"
	"github.com/cilium/cilium/pkg/labelsfilter"
	"github.com/cilium/cilium/pkg/logging"
	"github.com/cilium/cilium/pkg/option"
	"github.com/cilium/cilium/pkg/policy"
	"github.com/cilium/cilium/pkg/policy/api"

	"github.com/daprise/daprise/hack/oracle/wire"
)

// cluster is the name of the engine's cluster.
const cluster = "default"

func main() {
	// What a Helm installation has by default and the library has not.
	option.Config.EnableL7Proxy = true
	option.Config.EnableICMPRules = true
	option.Config.EnableIPv4 = true
	option.Config.EnableIPv6 = true
	option.Config.AllowLocalhost = option.AllowLocalhostAlways
	policy.SetPolicyEnabled(option.DefaultEnforcement)
	api.InitEntities(cluster)
	logging.DefaultLogger.SetOutput(io.Discard)
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	if err := labelsfilter.ParseLabelPrefixCfg(nil, nil, ""); err != nil {
		return fmt.Errorf("choose labels: %w", err)
	}
	if err := re.InitRegexCompileLRU(128); err != nil {
		return fmt.Errorf("make the cache of patterns: %w", err)
	}
	return wire.Serve(os.Stdin, os.Stdout, start)
}
