// SPDX-License-Identifier: Apache-2.0

package mutate_test

import "flag"

// update rewrites the goldens of this package instead of comparing them.
var update = flag.Bool("update", false, "rewrite golden files")
