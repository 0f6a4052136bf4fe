// SPDX-License-Identifier: Apache-2.0

// Package rules renders docs/rules.md from the catalogue of rules.
package rules

import (
	"bytes"
	_ "embed"
	"fmt"
	"strings"
	"text/template"

	"github.com/daprise/daprise/validate/catalog"
)

// Path is where the page is, from the root of the repository.
const Path = "docs/rules.md"

//go:embed rules.md.tmpl
var page string

// family is one section of the page.
type family struct {
	Title string
	About string
	Rules []catalog.Rule
}

// Render is the page. Equal catalogues give equal bytes. An error is a bug in the template.
func Render() ([]byte, error) {
	families := []family{
		{Title: "DPR1xx: coverage", About: "Is the companion isolated, and may those reach it that need to? Their severity is that of mode `enforce`; `daprise.dev/coverage` on the namespace decides."},
		{Title: "DPR2xx: routes", About: "Can the route go through the companions with exactly the meaning that it has?"},
		{Title: "DPR3xx: enrolment and companions", About: "What do the annotations of a Service, Deployment or Gateway ask for, and can it be had?"},
		{Title: "DPR4xx: environment", About: "Are Cilium and Dapr there, as daprise knows them?"},
	}
	for i := range families {
		for _, rule := range catalog.Rules() {
			if strings.HasPrefix(string(rule.Code), families[i].Title[:len("DPR1")]) {
				families[i].Rules = append(families[i].Rules, rule)
			}
		}
	}
	functions := template.FuncMap{"anchor": func(code any) string { return strings.ToLower(fmt.Sprint(code)) }}
	parsed, err := template.New(Path).Funcs(functions).Parse(page)
	if err != nil {
		return nil, fmt.Errorf("parse the template of %s: %w", Path, err)
	}
	var out bytes.Buffer
	if err := parsed.Execute(&out, families); err != nil {
		return nil, fmt.Errorf("render %s: %w", Path, err)
	}
	return out.Bytes(), nil
}
