// SPDX-License-Identifier: Apache-2.0

package mesh

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"
	yamlreader "k8s.io/apimachinery/pkg/util/yaml"
	strictjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// errDocuments is a configuration file with no or several YAML documents.
var errDocuments = errors.New("the file must hold exactly one YAML document")

// ParseConfig reads a configuration file: one YAML document, strict (apiVersion and kind are required; unknown and doubled fields are
// errors), defaulted, validated. What the file does not say is as in DefaultConfig; lists replace their default, the quantities of
// companion.resources are merged into theirs by name, and a null takes a list or a map away. Errors name the path of each field
// that is wrong, all at once where the file can be read at all.
func ParseConfig(data []byte) (Config, error) {
	document, err := onlyDocument(data)
	if err != nil {
		return Config{}, fmt.Errorf("read config: %w", err)
	}
	content, err := yaml.YAMLToJSONStrict(document)
	if err != nil {
		return Config{}, fmt.Errorf("read config: %w", err)
	}
	// Quantities decode themselves, and their errors do not say where they stand.
	if problems := checkQuantities(content); len(problems) > 0 {
		return Config{}, fmt.Errorf("read config: %w", problems.ToAggregate())
	}
	config := DefaultConfig()
	config.APIVersion, config.Kind = "", ""
	unknown, err := strictjson.UnmarshalStrict(content, &config)
	if err != nil {
		return Config{}, fmt.Errorf("read config: %w", err)
	}
	if len(unknown) > 0 {
		return Config{}, fmt.Errorf("read config: %w", errors.Join(unknown...))
	}
	if problems := checkConfig(config); len(problems) > 0 {
		return Config{}, fmt.Errorf("check config: %w", problems.ToAggregate())
	}
	return config, nil
}

// onlyDocument is the one document of a file that holds more than comments.
func onlyDocument(data []byte) ([]byte, error) {
	documents := yamlreader.NewYAMLReader(bufio.NewReader(bytes.NewReader(data)))
	var only []byte
	for {
		next, err := documents.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if blank(next) {
			continue
		}
		if only != nil {
			return nil, errDocuments
		}
		only = next
	}
	if only == nil {
		return nil, errDocuments
	}
	return only, nil
}

func blank(document []byte) bool {
	for line := range bytes.Lines(document) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' {
			return false
		}
	}
	return true
}

// checkQuantities finds quantities of companion.resources that cannot be read. What has another shape is left to the decoder.
func checkQuantities(content []byte) field.ErrorList {
	var shape struct {
		Companion struct {
			Resources map[string]map[string]any `json:"resources"`
		} `json:"companion"`
	}
	if json.Unmarshal(content, &shape) != nil {
		return nil // the decoder that follows says what is wrong, with its path
	}
	var problems field.ErrorList
	path := field.NewPath("companion", "resources")
	for _, list := range slices.Sorted(maps.Keys(shape.Companion.Resources)) {
		for _, name := range slices.Sorted(maps.Keys(shape.Companion.Resources[list])) {
			value := fmt.Sprint(shape.Companion.Resources[list][name])
			if _, err := resource.ParseQuantity(value); err != nil {
				problems = append(problems, field.Invalid(path.Child(list).Key(name), value, "not a quantity like 250m or 64Mi"))
			}
		}
	}
	return problems
}
