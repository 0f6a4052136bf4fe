// SPDX-License-Identifier: Apache-2.0

package report

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/validate/catalog"
)

// SARIF 2.1.0, as far as it is written here (OASIS, Static Analysis Results Interchange Format).
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool        sarifTool         `json:"tool"`
		Results     []sarifResult     `json:"results"`
		Invocations []sarifInvocation `json:"invocations"`
		ColumnKind  string            `json:"columnKind"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name  string      `json:"name"`
		Rules []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID               string    `json:"id"`
		ShortDescription sarifText `json:"shortDescription"`
		FullDescription  sarifText `json:"fullDescription"`
		Help             sarifText `json:"help"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifResult struct {
		RuleID    string          `json:"ruleId"`
		RuleIndex int             `json:"ruleIndex"`
		Level     string          `json:"level"`
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations,omitempty"`
	}
	sarifLocation struct {
		Physical sarifPhysical  `json:"physicalLocation"`
		Logical  []sarifLogical `json:"logicalLocations,omitempty"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   *sarifRegion  `json:"region,omitempty"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn,omitempty"`
	}
	sarifLogical struct {
		FullyQualifiedName string `json:"fullyQualifiedName"`
		Kind               string `json:"kind"`
	}
	sarifInvocation struct {
		ExecutionSuccessful bool                `json:"executionSuccessful"`
		Notifications       []sarifNotification `json:"toolExecutionNotifications,omitempty"`
	}
	sarifNotification struct {
		Level     string          `json:"level"`
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations,omitempty"`
	}
)

func writeSARIF(out io.Writer, r Report) error {
	run := sarifRun{
		Tool:       sarifTool{Driver: sarifDriver{Name: "daprise", Rules: []sarifRule{}}},
		Results:    []sarifResult{},
		ColumnKind: "unicodeCodePoints",
	}
	// Of the rules, those that something was found by.
	var indexes []mesh.Code
	for _, rule := range catalog.Rules() {
		if !slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Code == rule.Code }) {
			continue
		}
		indexes = append(indexes, rule.Code)
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{
			ID: string(rule.Code), ShortDescription: sarifText{rule.Title}, FullDescription: sarifText{rule.Means}, Help: sarifText{rule.Mend},
		})
	}
	for _, f := range r.Findings {
		run.Results = append(run.Results, sarifResult{
			RuleID: string(f.Code), RuleIndex: slices.Index(indexes, f.Code), Level: sarifLevel(f.Severity),
			Message:   sarifText{fmt.Sprintf("%s: %s. %s", f.Object, f.Message, f.Fix)},
			Locations: sarifLocations(f),
		})
	}
	invocation := sarifInvocation{ExecutionSuccessful: len(r.Problems) == 0}
	for _, p := range r.Problems {
		invocation.Notifications = append(invocation.Notifications, sarifNotification{
			Level: "error", Message: sarifText{p.Document + ": " + p.Message},
			Locations: sarifPlaces(p.File, sarifRegion{StartLine: p.Line, StartColumn: p.Column}),
		})
	}
	run.Invocations = []sarifInvocation{invocation}
	data, err := json.MarshalIndent(sarifLog{
		Schema:  "https://json.schemastore.org/sarif-2.1.0.json",
		Version: "2.1.0",
		Runs:    []sarifRun{run},
	}, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, string(data))
	return err
}

func sarifLocations(f Finding) []sarifLocation {
	places := sarifPlaces(f.File, sarifRegion{StartLine: f.Line, StartColumn: f.Column})
	for i := range places {
		places[i].Logical = []sarifLogical{{FullyQualifiedName: f.Object.String(), Kind: "resource"}}
	}
	return places
}

// sarifPlaces is a place in a file: none for what is in no file, and no region where the line is not known. SARIF counts both from 1.
func sarifPlaces(file string, region sarifRegion) []sarifLocation {
	if file == "" {
		return nil
	}
	l := sarifLocation{Physical: sarifPhysical{Artifact: sarifArtifact{uriOf(file)}}}
	if region.StartLine > 0 {
		l.Physical.Region = &region
	}
	return []sarifLocation{l}
}

// uriOf is a file's path, or the URL that it was read from, as a URI reference.
func uriOf(file string) string {
	if strings.HasPrefix(file, "http://") || strings.HasPrefix(file, "https://") {
		return file
	}
	return (&url.URL{Path: filepath.ToSlash(file)}).String()
}

func sarifLevel(s mesh.Severity) string {
	switch s {
	case mesh.Deny:
		return "error"
	case mesh.Warn:
		return "warning"
	default:
		return "note"
	}
}
