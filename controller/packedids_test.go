// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Whatever a UID and a version are, a packed object has them as they were.
func TestPackedIDs(t *testing.T) {
	for _, c := range []struct {
		uid, version string
		small        bool
	}{
		{"0a61d9d2-6d4a-4d0f-9a31-3c1c4c8c7f10", "123456789", true},
		{"0A61D9D2-6d4a-4d0f-9a31-3c1c4c8c7f10", "0123", false},
		{"0a61d9d26d4a4d0f9a313c1c4c8c7f10", "x", false},
		{"0a61d9d26d4a-4d0f-9a31-3c1c-4c8c7f10", "-1", false},
		{strings.Repeat("a", 100), "18446744073709551616", false},
		{"00000000-0000-0000-0000-000000000000", "0", false},
		{"u", "", false},
		{"", "", false},
	} {
		if got := uidOf(types.UID(c.uid)); (got != uid{}) != c.small {
			t.Errorf("%q: packed %v", c.uid, got)
		}
		if got := versionOf(c.version); (got != 0) != c.small {
			t.Errorf("%q: packed %v", c.version, got)
		}
		s := &corev1.Service{}
		s.UID, s.ResourceVersion = types.UID(c.uid), c.version
		p := packedAs(t, ownedService, s)
		whole, err := wholeOf[*corev1.Service](p)
		if err != nil {
			t.Fatal(err)
		}
		if p.GetUID() != s.UID || whole.UID != s.UID || p.GetResourceVersion() != c.version || whole.ResourceVersion != c.version {
			t.Errorf("%q of version %q: %q of %q, whole %q of %q", c.uid, c.version, p.GetUID(), p.GetResourceVersion(), whole.UID, whole.ResourceVersion)
		}
	}
}
