// SPDX-License-Identifier: Apache-2.0

package companion

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/daprise/daprise/mesh"
)

// Value is the grammar of a mapped key.
type Value struct {
	// Text says what is allowed, as it stands in refusals and in the documentation: `"true" or "false"`.
	Text string
	// parse gives the canonical form that is rendered, or false.
	parse func(value string, config mesh.Config) (string, bool)
}

// oneOf allows a few words.
func oneOf(words ...string) Value {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = strconv.Quote(word)
	}
	return Value{
		Text: strings.Join(quoted, ", "),
		parse: func(value string, _ mesh.Config) (string, bool) {
			return value, slices.Contains(words, value)
		},
	}
}

func boolean() Value { return oneOf("true", "false") }

// integer allows decimal numbers from low to high, both included.
func integer(low, high int64) Value {
	return Value{
		Text: fmt.Sprintf("a number from %d to %d", low, high),
		parse: func(value string, _ mesh.Config) (string, bool) {
			n, err := strconv.ParseInt(value, 10, 64)
			if err != nil || n < low || n > high {
				return "", false
			}
			return strconv.FormatInt(n, 10), true
		},
	}
}

// quantity allows a Kubernetes quantity from low to high, both included ("32Ki", "500m").
func quantity(low, high string) Value {
	return Value{
		Text: fmt.Sprintf("a quantity from %s to %s", low, high),
		parse: func(value string, _ mesh.Config) (string, bool) {
			q, err := resource.ParseQuantity(value)
			if err != nil || q.Cmp(resource.MustParse(low)) < 0 || q.Cmp(resource.MustParse(high)) > 0 {
				return "", false
			}
			return q.String(), true
		},
	}
}

// byteSize is a quantity of whole bytes.
func byteSize(low, high string) Value {
	v := quantity(low, high)
	return Value{
		Text: v.Text + " in whole bytes",
		parse: func(value string, config mesh.Config) (string, bool) {
			canonical, ok := v.parse(value, config)
			if !ok {
				return "", false
			}
			q := resource.MustParse(canonical)
			_, whole := q.AsInt64()
			return canonical, whole
		},
	}
}

// duration allows a Go duration from low to high, both included.
func duration(low, high time.Duration) Value {
	return Value{
		Text: fmt.Sprintf("a duration from %s to %s", low, high),
		parse: func(value string, _ mesh.Config) (string, bool) {
			d, err := time.ParseDuration(value)
			if err != nil || d < low || d > high {
				return "", false
			}
			return d.String(), true
		},
	}
}

// objectName is the name of a Kubernetes object.
func objectName() Value {
	return Value{
		Text: "the name of a Configuration in the namespace",
		parse: func(value string, _ mesh.Config) (string, bool) {
			return value, len(validation.IsDNS1123Subdomain(value)) == 0
		},
	}
}

// urlPath is an absolute path without query: it becomes one argument and one request line.
func urlPath() Value {
	return Value{
		Text: `an absolute URL path, "/healthz"`,
		parse: func(value string, _ mesh.Config) (string, bool) {
			return value, strings.HasPrefix(value, "/") && len(value) <= 1024 && only(value, "-._~!$&'()*+,;=:@%/")
		},
	}
}

// list allows a comma separated list of elements.
func list(what string, element func(string) bool) Value {
	return Value{
		Text: "a comma separated list of " + what,
		parse: func(value string, _ mesh.Config) (string, bool) {
			elements := strings.Split(value, ",")
			for i, e := range elements {
				elements[i] = strings.TrimSpace(e)
				if !element(elements[i]) {
					return "", false
				}
			}
			return strings.Join(elements, ","), true
		},
	}
}

// listedImage allows the images of the config file.
func listedImage() Value {
	return Value{
		Text: "an image of the list dapr.images in daprise's config file",
		parse: func(value string, config mesh.Config) (string, bool) {
			return value, slices.Contains(config.Dapr.Images, value)
		},
	}
}

// listedEnv allows the variables of the config file, but never those that make up the companion's identity and place.
func listedEnv() Value {
	return Value{
		Text: `"NAME=value, …" with names of the list companion.env in daprise's config file`,
		parse: func(value string, config mesh.Config) (string, bool) {
			vars, ok := parseEnv(value)
			for _, v := range vars {
				ok = ok && slices.Contains(config.Companion.Env, v.Name) && !slices.Contains(ownVariables(), v.Name)
			}
			return value, ok
		},
	}
}

// only says whether a text is of ASCII letters, digits and some other characters alone.
func only(text, others string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		return !letter && (r < '0' || r > '9') && !strings.ContainsRune(others, r)
	})
}
