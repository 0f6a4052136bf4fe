// SPDX-License-Identifier: Apache-2.0

// Package webhook is the HTTP edge of admission: an AdmissionReview comes in, the pure packages decide, an AdmissionReview goes out.
//
// controller-runtime's own handler is not used, because of what it cannot do: its typed Defaulter loses fields that our Go types do
// not know, its body limit is fixed, a panic or an unreadable body becomes "allowed: false", which refuses even where failurePolicy
// is Ignore, and its counters show denials as HTTP 200. Here an answer is one of three things: a review that admits, a review that
// denies for a reason that a user can mend, or an HTTP error, upon which the API server applies failurePolicy.
package webhook
