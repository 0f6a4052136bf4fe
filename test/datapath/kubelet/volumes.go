// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kubelet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	refreshEvery = 5 * time.Second
	// defaultMode of files made from the API (API reference, volumes).
	defaultMode = int32(0o644)
	// defaultTokenSeconds is how long a projected token lives that asks for nothing.
	defaultTokenSeconds = int64(3600)
)

func (w *podWorker) volumeDir(name string) string { return filepath.Join(w.dir, "volumes", name) }

// isContent says whether a volume shows what the API holds: a kubelet mounts
// those read-only.
func (w *podWorker) isContent(name string) bool {
	for _, volume := range w.pod.Spec.Volumes {
		if volume.Name == name {
			return volume.EmptyDir == nil
		}
	}
	return false
}

// prepareVolumes fills all volumes. What a volume shows may not exist yet: as
// with a kubelet, the Pod waits for it.
func (w *podWorker) prepareVolumes(ctx context.Context) error {
	for _, volume := range w.pod.Spec.Volumes {
		if err := os.MkdirAll(w.volumeDir(volume.Name), 0o755); err != nil {
			return err
		}
		if volume.EmptyDir != nil {
			if err := os.Chmod(w.volumeDir(volume.Name), 0o777); err != nil {
				return err
			}
		}
	}
	told := false
	for {
		err := w.fillVolumes(ctx)
		if err == nil || w.isOver(ctx) {
			return ctx.Err()
		}
		if !told {
			told = true
			w.k.tell("pod %s waits: %v", w.name(), err)
		}
		select {
		case <-ctx.Done():
		case <-w.ending:
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// refreshVolumes keeps them current until ctx ends.
func (w *podWorker) refreshVolumes(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(refreshEvery):
			if err := w.fillVolumes(ctx); err != nil && !w.isOver(ctx) {
				w.k.tell("pod %s: refresh volumes: %v", w.name(), err)
			}
		}
	}
}

func (w *podWorker) fillVolumes(ctx context.Context) error {
	for _, volume := range w.pod.Spec.Volumes {
		if volume.EmptyDir != nil {
			continue
		}
		files, err := w.content(ctx, volume)
		if err != nil {
			return fmt.Errorf("volume %s: %w", volume.Name, err)
		}
		for path, file := range files {
			if err := file.write(filepath.Join(w.volumeDir(volume.Name), path)); err != nil {
				return fmt.Errorf("volume %s: %w", volume.Name, err)
			}
		}
	}
	return nil
}

// file of a volume; a nil one stays as it is.
type file struct {
	data []byte
	mode int32
}

// write replaces the file at once and leaves an equal one alone.
func (f *file) write(path string) error {
	if f == nil {
		return nil
	}
	old, err := os.ReadFile(path)
	if err == nil && bytes.Equal(old, f.data) {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", f.data, os.FileMode(f.mode)); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func (w *podWorker) content(ctx context.Context, volume corev1.Volume) (map[string]*file, error) {
	files := map[string]*file{}
	switch {
	case volume.Secret != nil:
		data, err := w.secret(ctx, volume.Secret.SecretName)
		return files, add(files, keys{data, volume.Secret.Items, volume.Secret.DefaultMode, volume.Secret.Optional}, err)
	case volume.ConfigMap != nil:
		data, err := w.configMap(ctx, volume.ConfigMap.Name)
		return files, add(files, keys{data, volume.ConfigMap.Items, volume.ConfigMap.DefaultMode, volume.ConfigMap.Optional}, err)
	case volume.Projected != nil:
		for _, source := range volume.Projected.Sources {
			if err := w.project(ctx, files, source, projection{volume.Name, volume.Projected.DefaultMode}); err != nil {
				return nil, err
			}
		}
		return files, nil
	default:
		return nil, errors.New("its source is not honoured")
	}
}

// keys of a Secret or ConfigMap and how they become files.
type keys struct {
	data     map[string][]byte
	items    []corev1.KeyToPath
	mode     *int32
	optional *bool
}

func add(files map[string]*file, k keys, err error) error {
	if apierrors.IsNotFound(err) && k.optional != nil && *k.optional {
		return nil
	}
	if err != nil {
		return err
	}
	mode := defaultMode
	if k.mode != nil {
		mode = *k.mode
	}
	if len(k.items) == 0 {
		for key, data := range k.data {
			files[key] = &file{data, mode}
		}
		return nil
	}
	for _, item := range k.items {
		data, ok := k.data[item.Key]
		if !ok {
			return fmt.Errorf("key %s is missing", item.Key)
		}
		files[item.Path] = &file{data, mode}
	}
	return nil
}

// projection is the volume that a projected source is part of.
type projection struct {
	volume string
	mode   *int32
}

func (w *podWorker) project(ctx context.Context, files map[string]*file, source corev1.VolumeProjection, in projection) error {
	switch {
	case source.ServiceAccountToken != nil:
		token, err := w.token(ctx, source.ServiceAccountToken, filepath.Join(w.volumeDir(in.volume), source.ServiceAccountToken.Path))
		if err != nil || token == nil {
			return err
		}
		return add(files, keys{data: map[string][]byte{source.ServiceAccountToken.Path: token}, mode: in.mode}, nil)
	case source.ConfigMap != nil:
		data, err := w.configMap(ctx, source.ConfigMap.Name)
		return add(files, keys{data, source.ConfigMap.Items, in.mode, source.ConfigMap.Optional}, err)
	case source.Secret != nil:
		data, err := w.secret(ctx, source.Secret.Name)
		return add(files, keys{data, source.Secret.Items, in.mode, source.Secret.Optional}, err)
	case source.DownwardAPI != nil:
		data := map[string][]byte{}
		for _, item := range source.DownwardAPI.Items {
			if item.FieldRef == nil {
				return fmt.Errorf("downward API item %s is not honoured", item.Path)
			}
			value, err := w.field(item.FieldRef.FieldPath)
			if err != nil {
				return err
			}
			data[item.Path] = []byte(value)
		}
		return add(files, keys{data: data, mode: in.mode}, nil)
	default:
		return errors.New("a projected source is not honoured")
	}
}

// token asks for a token bound to the Pod, or returns nil while the one at path
// has a fifth of its life left.
func (w *podWorker) token(ctx context.Context, source *corev1.ServiceAccountTokenProjection, path string) ([]byte, error) {
	seconds := defaultTokenSeconds
	if source.ExpirationSeconds != nil {
		seconds = *source.ExpirationSeconds
	}
	written, err := os.Stat(path)
	if err == nil && time.Since(written.ModTime()) < time.Duration(seconds)*time.Second*4/5 {
		return nil, nil
	}
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		ExpirationSeconds: &seconds,
		BoundObjectRef: &authenticationv1.BoundObjectReference{
			APIVersion: "v1", Kind: "Pod", Name: w.pod.Name, UID: w.pod.UID,
		},
	}}
	if source.Audience != "" {
		request.Spec.Audiences = []string{source.Audience}
	}
	accounts := w.k.client.CoreV1().ServiceAccounts(w.pod.Namespace)
	issued, err := accounts.CreateToken(ctx, w.pod.Spec.ServiceAccountName, request, metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("token of ServiceAccount %s: %w", w.pod.Spec.ServiceAccountName, err)
	}
	return []byte(issued.Status.Token), nil
}

func (w *podWorker) secret(ctx context.Context, name string) (map[string][]byte, error) {
	secret, err := w.k.client.CoreV1().Secrets(w.pod.Namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	return secret.Data, nil
}

func (w *podWorker) configMap(ctx context.Context, name string) (map[string][]byte, error) {
	configMap, err := w.k.client.CoreV1().ConfigMaps(w.pod.Namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	data := map[string][]byte{}
	for key, value := range configMap.Data {
		data[key] = []byte(value)
	}
	for key, value := range configMap.BinaryData {
		data[key] = value
	}
	return data, nil
}
