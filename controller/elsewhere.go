// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
)

// elsewhere finds out which app IDs that policies here select, and that look misspelt, are those of other namespaces, which a decision may
// know nothing of. With all namespaces there is no other.
func (b *build) elsewhere(ctx context.Context) error {
	if b.need.AllNamespaces {
		return nil
	}
	for _, id := range policy.Suspects(b.view, b.compiled) {
		for _, k := range []kind{kindService, kindDeployment, kindGateway} {
			found, err := isEnrolledAs(ctx, b.door, k, id)
			if err != nil {
				return err
			}
			if found {
				b.view.Elsewhere = append(b.view.Elsewhere, id)
				break
			}
		}
	}
	return nil
}

// isEnrolledAs says whether any object of a kind, in whatever namespace, was admitted under an app ID.
func isEnrolledAs(ctx context.Context, d door, k kind, id string) (bool, error) {
	reader, ok := d.cached(k)
	if !ok {
		reader = d.live
	}
	found := newList(d.kinds[k])
	err := reader.List(ctx, found, client.MatchingLabels{mesh.LabelAppID: id}, client.Limit(1))
	if err != nil && isMissingKind(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for app ID %s: %w", id, err)
	}
	return meta.LenList(found) > 0, nil
}
