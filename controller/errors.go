// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"errors"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

var (
	errNotPolled = errors.New("the API server was not yet asked which kinds it serves")
	errNotSynced = errors.New("the cache is not complete")
	errForeign   = errors.New("an object of this name exists and was not made by daprise")
)

// refusalIn is what the API server said against what was applied, or nothing where it refused nothing: a quota, Pod Security, somebody's
// admission. A namespace that is being deleted is no refusal.
func refusalIn(err error) string {
	var refusal *apierrors.StatusError
	if !errors.As(err, &refusal) || apierrors.HasStatusCause(refusal, corev1.NamespaceTerminatingCause) {
		return ""
	}
	if !apierrors.IsForbidden(refusal) && !apierrors.IsInvalid(refusal) {
		return ""
	}
	return "the API server refuses what daprise applies: " + refusal.Error()
}

// isMissingKind says that a read failed because the API server does not serve the kind. For a list NotFound means that too: the path
// of the resource is gone.
func isMissingKind(err error) bool {
	if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
		return true
	}
	var failed *apiutil.ErrResourceDiscoveryFailed
	if !errors.As(err, &failed) {
		return false
	}
	causes := slices.Collect(maps.Values(*failed))
	return len(causes) > 0 && !slices.ContainsFunc(causes, func(cause error) bool {
		return !meta.IsNoMatchError(cause) && !apierrors.IsNotFound(cause)
	})
}
