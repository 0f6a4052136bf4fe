// SPDX-License-Identifier: Apache-2.0

// Package validate decides whether an object is admitted: one rule, one file. It is pure.
package validate
