// SPDX-License-Identifier: Apache-2.0

// Package enforce puts the stored network policies in force between the Pods of
// this machine's one node. The verdicts are those of Cilium's own policy engine
// (hack/datapath/verdicts), never of mesh/policy, and become nftables rules of the
// node's network namespace: an uncovered or wrong policy really breaks the path.
//
// As with Cilium: policies are judged at the backend, after a Service's address
// was translated; packets of replies pass; the node reaches its own Pods always;
// the Pods of the gateway have the reserved identity ingress. A dropped packet
// gets no answer.
//
// Not played, and refused aloud where a policy asks for it: ranges of ports.
// Rules for HTTP and demands for authentication count as allowed.
package enforce
