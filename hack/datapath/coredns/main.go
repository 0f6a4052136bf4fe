// SPDX-License-Identifier: Apache-2.0

// Program coredns is CoreDNS with the plugins that a cluster's DNS is made of
// and none of those that pull in a cloud provider's client. It differs from the
// upstream program in its list of plugins alone, the way in which CoreDNS
// documents builds of one's own.
package main

import (
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/log"
	_ "github.com/coredns/coredns/plugin/ready"

	"github.com/coredns/coredns/coremain"
)

func main() {
	coremain.Run()
}
