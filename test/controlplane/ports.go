// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
)

// Ports are taken below the range from which kernels choose the local ports of
// connections (from 32768 on Linux): between looking and listening no
// connection can take one.
const (
	lowestPort  = 20000
	highestPort = 32000
)

var errNoPort = errors.New("no free port on 127.0.0.1")

// choosePorts finds free ports; api is taken as it is unless 0.
func choosePorts(api int) (ports, error) {
	wanted := []int{api, 0, 0}
	var open []net.Listener
	defer func() {
		for _, listener := range open {
			_ = listener.Close() // held only to be sure that it is free
		}
	}()
	for i := range wanted {
		listener, port, err := listen(wanted[i])
		if err != nil {
			return ports{}, err
		}
		open, wanted[i] = append(open, listener), port
	}
	return ports{api: wanted[0], etcd: wanted[1], etcdPeer: wanted[2]}, nil
}

// listen takes the port, or any if it is 0.
func listen(port int) (net.Listener, int, error) {
	if port != 0 {
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return nil, 0, fmt.Errorf("the API server's port: %w", err)
		}
		return listener, port, nil
	}
	for range 100 {
		candidate := lowestPort + rand.IntN(highestPort-lowestPort)
		if listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", candidate)); err == nil {
			return listener, candidate, nil
		}
	}
	return nil, 0, errNoPort
}
