// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kubelet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

// Image is what a container image of that name would hold. Everything else of
// a container's root file system is empty.
type Image struct {
	// Files are paths in the container and the executables of this machine that
	// are found there. They must be static.
	Files map[string]string
	// Entrypoint is what runs if the container names no command.
	Entrypoint []string
	// User is the user and group of the process if nothing else is said. 0 is root.
	User int64
}

// Options of a kubelet.
type Options struct {
	// Config has the rights of the node: user system:node:NAME, group system:nodes.
	Config *rest.Config
	Node   string
	// Address is the node's own, in this network namespace.
	Address netip.Addr
	// Pods is the node's range of pod addresses.
	Pods netip.Prefix
	// DNS is the address of the cluster's DNS Service; Domain the cluster's domain.
	DNS    netip.Addr
	Domain string
	// Images by name; the tag or digest of a container's image is not looked at.
	Images map[string]Image
	// Dir is where root file systems and volumes are made, Logs where the output of containers goes.
	Dir, Logs string
	// Joined, if set, is called for a Pod that has its address and runs nothing yet, Left when nothing of it runs any more.
	Joined func(context.Context, *corev1.Pod, netip.Addr) error
	Left   func(*corev1.Pod)
	Log    io.Writer
}

// Kubelet is a running one.
type Kubelet struct {
	options Options
	client  kubernetes.Interface
	network *network

	mu   sync.Mutex
	pods map[types.UID]*podWorker
	errs []error
	wait sync.WaitGroup
}

// Start registers the node and begins to run Pods. It goes on until ctx ends;
// Wait then returns when every process is gone.
func Start(ctx context.Context, options Options) (*Kubelet, error) {
	client, err := kubernetes.NewForConfig(options.Config)
	if err != nil {
		return nil, fmt.Errorf("kubelet: %w", err)
	}
	for _, dir := range []string{options.Dir, options.Logs} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("kubelet: %w", err)
		}
	}
	k := &Kubelet{options: options, client: client, pods: map[types.UID]*podWorker{}, network: newNetwork(options)}
	if err := k.register(ctx); err != nil {
		return nil, fmt.Errorf("kubelet: register node %s: %w", options.Node, err)
	}
	k.wait.Go(func() { k.heartbeat(ctx) })
	k.wait.Go(func() { k.watch(ctx) })
	return k, nil
}

// Wait returns when everything has ended.
func (k *Kubelet) Wait() { k.wait.Wait() }

// Err says what went wrong that no status of a Pod can tell: a Pod that asks
// for what is not honoured above all.
func (k *Kubelet) Err() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return errors.Join(k.errs...)
}

// PodLog is the path of a Pod's output.
func (k *Kubelet) PodLog(namespace, pod, container string) string {
	return filepath.Join(k.options.Logs, namespace+"_"+pod+"_"+container+".log")
}

func (k *Kubelet) fail(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.errs = append(k.errs, err)
	k.tell("%v", err)
}

func (k *Kubelet) tell(format string, args ...any) {
	if k.options.Log != nil {
		// Progress that cannot be shown is no reason to fail.
		_, _ = fmt.Fprintf(k.options.Log, time.Now().Format("15:04:05.000")+" kubelet: "+format+"\n", args...)
	}
}

// watch hands every Pod of the node to a worker of its own.
func (k *Kubelet) watch(ctx context.Context) {
	mine := cache.NewListWatchFromClient(k.client.CoreV1().RESTClient(), "pods", corev1.NamespaceAll,
		fields.OneTermEqualSelector("spec.nodeName", k.options.Node))
	_, informer := cache.NewInformerWithOptions(cache.InformerOptions{
		ListerWatcher: mine,
		ObjectType:    &corev1.Pod{},
		ResyncPeriod:  10 * time.Second,
		Handler: cache.ResourceEventHandlerFuncs{
			AddFunc:    func(o any) { k.sync(ctx, o) },
			UpdateFunc: func(_, o any) { k.sync(ctx, o) },
			DeleteFunc: k.gone,
		},
	})
	informer.RunWithContext(ctx)
}

func (k *Kubelet) sync(ctx context.Context, object any) {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	worker, known := k.pods[pod.UID]
	if !known {
		if pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded {
			return
		}
		worker = newPodWorker(k, pod)
		k.pods[pod.UID] = worker
		k.wait.Go(func() { worker.run(ctx) })
	}
	if pod.DeletionTimestamp != nil {
		worker.terminate(gracePeriod(pod))
	}
}

// gone ends what runs for a Pod that was removed from the API at once.
func (k *Kubelet) gone(object any) {
	if unknown, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = unknown.Obj
	}
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if worker := k.pods[pod.UID]; worker != nil {
		worker.terminate(0)
	}
}

func (k *Kubelet) forget(uid types.UID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.pods, uid)
}

func gracePeriod(pod *corev1.Pod) time.Duration {
	if pod.DeletionGracePeriodSeconds == nil {
		return 0
	}
	return time.Duration(*pod.DeletionGracePeriodSeconds) * time.Second
}
