// SPDX-License-Identifier: Apache-2.0

package check

import (
	"fmt"
	"time"
)

// soon is how long before its end a certificate is told of.
const soon = 30 * 24 * time.Hour

// expiring is a certificate whose end is judged.
type expiring struct {
	what       string
	until, now time.Time
	// hint says how to replace it.
	hint string
}

// judgeExpiry judges the end of a certificate.
func judgeExpiry(e expiring) Line {
	day := e.until.UTC().Format(time.DateOnly)
	switch {
	case !e.now.Before(e.until):
		return hinted(Fail, fmt.Sprintf("%s has expired on %s", e.what, day), e.hint)
	case e.until.Sub(e.now) < soon:
		return hinted(Warn, fmt.Sprintf("%s expires on %s", e.what, day), e.hint)
	}
	return ok("%s is valid until %s", e.what, day)
}
