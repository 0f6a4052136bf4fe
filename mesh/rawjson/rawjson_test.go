// SPDX-License-Identifier: Apache-2.0

package rawjson_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daprise/daprise/mesh/rawjson"
)

// fields reads an object, the last of two fields of one name counting.
func fields(data []byte, read func([]byte, func([]byte, json.RawMessage) error) error) (map[string]json.RawMessage, error) {
	found := map[string]json.RawMessage{}
	err := read(data, func(key []byte, value json.RawMessage) error {
		found[string(key)] = bytes.TrimSpace(value)
		return nil
	})
	return found, err
}

// FuzzObject wants of every object that encoding/json reads the same fields, and an error and no panic of anything else.
func FuzzObject(f *testing.F) {
	for _, seed := range []string{
		`{}`, ` { "a" : 1 , "b":[{"c":"}"}], "ü":"\"\\", "\u0061":null } `, `{"a":1}x`, `{"a":"`, `{"a":"\`, `{"a"}`, `{"a":}`, `[]`, `null`, ``, `{"a":1,}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := fields(data, rawjson.Object)
		var want map[string]json.RawMessage
		if json.Unmarshal(data, &want) != nil || want == nil {
			if err == nil {
				t.Errorf("%q: no error", data)
			}
			// What nobody has checked is followed as far as it goes.
			_, _ = fields(data, rawjson.EachField)
			return
		}
		if err != nil {
			t.Fatalf("%q: %v", data, err)
		}
		for key := range want {
			want[key] = bytes.TrimSpace(want[key])
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", data, diff)
		}
	})
}

func TestObject(t *testing.T) {
	for _, tt := range []struct{ name, data, err, unchecked string }{
		{"object", `{"a": {"b": "\"}"}, "c": [1, {"d": 2}]}`, "", ""},
		{"nothing", ``, "unexpected end of JSON input", "not an object"},
		{"null", `null`, "not an object", ""},
		{"list", `[]`, "not an object", "not an object"},
		{"no end", `{"a": 1`, "unexpected end of JSON input", "an object does not end"},
		{"no end of a nested one", `{"a": {`, "unexpected end of JSON input", "an object or a list does not end"},
		{"no end of a string", `{"a": "\"`, "unexpected end of JSON input", "a string does not end"},
		{"no value", `{"a": }`, "invalid character '}' looking for beginning of value", "a value is missing"},
		{"no colon", `{"a" 1}`, "invalid character '1' after object key", "no colon behind a key"},
		{"key without quotation marks", `{a: 1}`, "invalid character 'a' looking for beginning of object key string", "not a string"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, checked := fields([]byte(tt.data), rawjson.Object)
			_, unchecked := fields([]byte(tt.data), rawjson.EachField)
			if diff := cmp.Diff([]string{tt.err, tt.unchecked}, []string{text(checked), text(unchecked)}); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
		})
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestEachElement(t *testing.T) {
	var got []string
	err := rawjson.EachElement([]byte(` [ "a,]" , {"b": [1]},2 ] `), func(element json.RawMessage) error {
		got = append(got, strings.TrimSpace(string(element)))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{`"a,]"`, `{"b": [1]}`, `2`}, got); diff != "" {
		t.Errorf("elements (-want +got):\n%s", diff)
	}
}

func TestText(t *testing.T) {
	for _, tt := range []struct{ data, want, err string }{
		{`"plain"`, "plain", ""}, {`"ü"`, "ü", ""}, {`"\u0061\n"`, "a\n", ""}, {`null`, "before", ""}, {`1`, "before", "not a string"},
		{"\"\xff\"", "\ufffd", ""},
	} {
		got := "before"
		err := rawjson.Text([]byte(tt.data), &got)
		if got != tt.want || (err != nil) != (tt.err != "") {
			t.Errorf("%s: %q, %v, want %q, %q", tt.data, got, err, tt.want, tt.err)
		}
	}
}
