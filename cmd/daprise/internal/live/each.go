// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

// pageSize of lists.
const pageSize = 500

// List gives all objects of a kind, read in pages into copies of an empty list. A kind that is not served has no objects.
func List[T client.Object](ctx context.Context, reader client.Reader, empty client.ObjectList, options ...client.ListOption) ([]T, error) {
	var all []T
	token := ""
	for {
		page, ok := empty.DeepCopyObject().(client.ObjectList)
		if !ok {
			return nil, fmt.Errorf("%T is no list", empty)
		}
		err := reader.List(ctx, page, append([]client.ListOption{client.Limit(pageSize), client.Continue(token)}, options...)...)
		if NotServed(err) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", kindOf(empty), err)
		}
		err = meta.EachListItem(page, func(item runtime.Object) error {
			object, ok := item.(T)
			if !ok {
				return fmt.Errorf("%T holds a %T", page, item)
			}
			all = append(all, object)
			return nil
		})
		if err != nil {
			return nil, err
		}
		if token = page.GetContinue(); token == "" {
			return all, nil
		}
	}
}

// kindOf names the kind of a list for messages.
func kindOf(list client.ObjectList) string {
	name := list.GetObjectKind().GroupVersionKind().Kind
	if name == "" {
		kind := fmt.Sprintf("%T", list)
		name = kind[strings.LastIndex(kind, ".")+1:]
	}
	return strings.TrimSuffix(name, "List")
}

// NotServed says that a request failed since the API server does not know the kind. A single object that does not exist is not told from
// that.
func NotServed(err error) bool {
	discovery := new(apiutil.ErrResourceDiscoveryFailed)
	return meta.IsNoMatchError(err) || apierrors.IsNotFound(err) || errors.As(err, &discovery)
}
