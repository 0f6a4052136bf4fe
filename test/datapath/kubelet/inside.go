// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kubelet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// inside is what a process needs to become a container.
type inside struct {
	Namespace    string // of the network, by name
	Hostname     string
	Root         string
	ReadOnlyRoot bool
	Binds        []bind
	Args         []string
	Env          []string
	Dir          string
	User, Group  int64
	NoNewPrivs   bool
}

// bind makes From of this machine visible as To in the container.
type bind struct {
	From, To string
	ReadOnly bool
}

func (c *container) inside(ctx context.Context) (inside, error) {
	image, err := c.image()
	if err != nil {
		return inside{}, err
	}
	env, err := c.env(ctx)
	if err != nil {
		return inside{}, err
	}
	in := inside{
		Namespace:    c.worker.network.name,
		Hostname:     c.worker.pod.Name,
		Root:         filepath.Join(c.worker.dir, "root-"+c.spec.Name),
		ReadOnlyRoot: security(c).ReadOnlyRootFilesystem != nil && *security(c).ReadOnlyRootFilesystem,
		Env:          env.list(),
		Dir:          c.spec.WorkingDir,
		NoNewPrivs:   security(c).AllowPrivilegeEscalation != nil && !*security(c).AllowPrivilegeEscalation,
	}
	if in.User, in.Group, err = c.user(image); err != nil {
		return inside{}, err
	}
	command := c.spec.Command
	if len(command) == 0 {
		command = image.Entrypoint
	}
	for _, arg := range append(append([]string{}, command...), c.spec.Args...) {
		in.Args = append(in.Args, env.expand(arg))
	}
	if len(in.Args) == 0 {
		return inside{}, errors.New("neither the container nor its image names a command")
	}
	if err := c.makeRoot(in.Root); err != nil {
		return inside{}, err
	}
	in.Binds, err = c.binds(image)
	return in, err
}

func (c *container) image() (Image, error) {
	name := c.spec.Image
	name, _, _ = strings.Cut(name, "@")
	if i := strings.LastIndex(name, ":"); i > strings.LastIndex(name, "/") {
		name = name[:i]
	}
	image, ok := c.worker.k.options.Images[name]
	if !ok {
		return Image{}, fmt.Errorf("image %s is not known here", c.spec.Image)
	}
	return image, nil
}

// security is the container's security context, with the Pod's where the
// container says nothing.
func security(c *container) corev1.SecurityContext {
	own := corev1.SecurityContext{}
	if c.spec.SecurityContext != nil {
		own = *c.spec.SecurityContext
	}
	if pod := c.worker.pod.Spec.SecurityContext; pod != nil {
		own.RunAsUser = first(own.RunAsUser, pod.RunAsUser)
		own.RunAsGroup = first(own.RunAsGroup, pod.RunAsGroup)
		own.RunAsNonRoot = first(own.RunAsNonRoot, pod.RunAsNonRoot)
	}
	return own
}

func first[T any](a, b *T) *T {
	if a != nil {
		return a
	}
	return b
}

func (c *container) user(image Image) (user, group int64, err error) {
	own := security(c)
	user = image.User
	if own.RunAsUser != nil {
		user = *own.RunAsUser
	}
	group = image.User
	if own.RunAsGroup != nil {
		group = *own.RunAsGroup
	}
	if user == 0 && own.RunAsNonRoot != nil && *own.RunAsNonRoot {
		return 0, 0, errors.New("container has runAsNonRoot and image will run as root")
	}
	if user == 0 {
		// As user 0 it would have every capability of the test, on the machine itself.
		return 0, 0, errors.New("this kubelet runs nothing as root")
	}
	return user, group, nil
}

// makeRoot makes the directories and files that every container has.
func (c *container) makeRoot(root string) error {
	for _, dir := range []string{"etc", "dev", "proc", "tmp", "var/run"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			return err
		}
	}
	if err := os.Chmod(filepath.Join(root, "tmp"), 0o777|os.ModeSticky); err != nil {
		return err
	}
	k, pod := c.worker.k, c.worker.pod
	resolv := "nameserver " + k.options.DNS.String() + "\n" +
		"search " + strings.Join([]string{pod.Namespace + ".svc." + k.options.Domain, "svc." + k.options.Domain, k.options.Domain}, " ") + "\n" +
		"options ndots:5\n"
	if pod.Spec.DNSPolicy == corev1.DNSDefault {
		resolv = "" // the node's own, which knows no resolver
	}
	for name, content := range map[string]string{
		"resolv.conf": resolv,
		"hosts":       "127.0.0.1\tlocalhost\n" + c.worker.network.address.String() + "\t" + pod.Name + "\n",
		"hostname":    pod.Name + "\n",
		"passwd":      "root:x:0:0:root:/:/nologin\nnonroot:x:65532:65532:nonroot:/:/nologin\n",
	} {
		if err := os.WriteFile(filepath.Join(root, "etc", name), []byte(content), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (c *container) binds(image Image) ([]bind, error) {
	var binds []bind
	for to, from := range image.Files {
		binds = append(binds, bind{From: from, To: to, ReadOnly: true})
	}
	for _, device := range []string{"null", "zero", "full", "random", "urandom"} {
		binds = append(binds, bind{From: "/dev/" + device, To: "/dev/" + device})
	}
	for _, mount := range c.spec.VolumeMounts {
		from := c.worker.volumeDir(mount.Name)
		if _, err := os.Stat(from); err != nil {
			return nil, fmt.Errorf("volume %s: %w", mount.Name, err)
		}
		binds = append(binds, bind{From: from, To: path.Clean(mount.MountPath), ReadOnly: mount.ReadOnly || c.worker.isContent(mount.Name)})
	}
	return binds, nil
}
