// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// encode writes an object as JSON with the lists that are empty and not absent, which mean something else to Cilium ("fromEndpoints: []") and
// which encoding/json leaves out.
func encode(object any) ([]byte, error) {
	tree, err := tree(reflect.ValueOf(object))
	if err != nil {
		return nil, err
	}
	return json.Marshal(tree)
}

func tree(v reflect.Value) (any, error) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil, nil
		}
		return tree(v.Elem())
	case reflect.Slice:
		if v.IsNil() {
			return nil, nil
		}
		list := make([]any, v.Len())
		for i := range list {
			var err error
			if list[i], err = tree(v.Index(i)); err != nil {
				return nil, err
			}
		}
		return list, nil
	case reflect.Struct:
		return fields(v)
	default:
		return v.Interface(), nil
	}
}

// fields is a struct as encoding/json would have it. Types of Kubernetes that encode themselves do so; api.Rule, which does too, would
// leave out empty lists.
func fields(v reflect.Value) (any, error) {
	if m, ok := v.Interface().(json.Marshaler); ok && strings.HasPrefix(v.Type().PkgPath(), "k8s.io/") {
		data, err := m.MarshalJSON()
		if err != nil {
			return nil, fmt.Errorf("encode %s: %w", v.Type(), err)
		}
		return json.RawMessage(data), nil
	}
	all := map[string]any{}
	for i := range v.NumField() {
		name, options, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		if name == "-" || !v.Type().Field(i).IsExported() || strings.Contains(options, "omit") && v.Field(i).IsZero() {
			continue
		}
		value, err := tree(v.Field(i))
		if err != nil {
			return nil, err
		}
		inner, isStruct := value.(map[string]any)
		switch {
		case name != "":
			all[name] = value
		case isStruct:
			for key, value := range inner {
				all[key] = value
			}
		}
	}
	return all, nil
}
