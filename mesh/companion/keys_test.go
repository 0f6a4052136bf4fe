// SPDX-License-Identifier: Apache-2.0

package companion_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/companion"
)

// TestKeysAreWhole: hack/injector holds the names against Dapr's own list; here, each entry must say all that it has to.
func TestKeysAreWhole(t *testing.T) {
	seen := map[string]bool{}
	for _, key := range companion.Keys() {
		if seen[key.Name] {
			t.Errorf("%s twice", key.Name)
		}
		seen[key.Name] = true
		if !strings.HasPrefix(key.Name, mesh.DaprPrefix) {
			t.Errorf("%s is not Dapr's", key.Name)
		}
		mapped := key.Use == companion.Mapped
		if mapped != (key.Value.Text != "") || mapped != ((key.Flag == "") != (key.To == "")) || mapped == (key.Reason != "") {
			t.Errorf("%s: %+v", key.Name, key)
		}
	}
	if len(seen) != 63 {
		t.Errorf("%d keys, Dapr 1.18 has 63", len(seen))
	}
}

// TestEveryMappedKeyIsRendered: setting a key to something else than its default changes the pod, or the table says that it does not.
func TestEveryMappedKeyIsRendered(t *testing.T) {
	values := everyMappedKey()
	values["dapr.io/config"] = "tracing"
	for _, key := range companion.Keys() {
		if key.Use != companion.Mapped {
			continue
		}
		t.Run(key.Name, func(t *testing.T) {
			value, set := values[key.Name]
			if !set {
				t.Fatal("no value in everyMappedKey")
			}
			with := whoami()
			with.Dapr = map[string]string{key.Name: value}
			same := dump(companion.App(with, input())) == dump(companion.App(whoami(), input()))
			if without := strings.HasPrefix(key.To, "nothing:") || strings.HasSuffix(key.To, "always this"); same != without {
				t.Errorf("the pod is the same: %v", same)
			}
		})
	}
}

// TestRefusedValuesAreNotRendered: rendering does not rely on admission having judged the keys.
func TestRefusedValuesAreNotRendered(t *testing.T) {
	plain := dump(companion.App(whoami(), input()))
	for _, key := range companion.Keys() {
		for _, value := range []string{"", "\x00", "no such value", "--flag"} {
			if _, found := companion.CheckKey(key.Name, value, "Service", config()); !found {
				continue
			}
			a := whoami()
			a.Dapr = map[string]string{key.Name: value}
			if diff := cmp.Diff(plain, dump(companion.App(a, input()))); diff != "" {
				t.Errorf("%s=%q is refused but changes the pod (-without +with):\n%s", key.Name, value, diff)
			}
		}
	}
}

const (
	tableBegin = "<!-- Table of keys: written by go test ./mesh/companion -update -->\n"
	tableEnd   = "<!-- End of the table of keys -->\n"
)

func TestDocumentationHasTheTable(t *testing.T) {
	file := filepath.Join("..", "..", "docs", "companions.md")
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := bytes.Cut(page, []byte(tableBegin))
	_, after, closed := bytes.Cut(rest, []byte(tableEnd))
	if !found || !closed {
		t.Fatalf("%s: the marks around the table are missing", file)
	}
	compareGolden(t, file, slices.Concat(before, []byte(tableBegin+keyTable()+tableEnd), after))
}

func keyTable() string {
	var table strings.Builder
	for _, use := range []companion.Use{companion.Ours, companion.Mapped, companion.Refused} {
		switch use {
		case companion.Ours:
			table.WriteString("\n### Read by daprise itself\n\n| key | what |\n|---|---|\n")
		case companion.Mapped:
			table.WriteString("\n### With Dapr's meaning\n\n| key | on a Gateway | sets | allowed |\n|---|---|---|---|\n")
		case companion.Refused:
			table.WriteString("\n### Refused\n\n| key | why |\n|---|---|\n")
		}
		for _, key := range companion.Keys() {
			if key.Use != use {
				continue
			}
			if use != companion.Mapped {
				fmt.Fprintf(&table, "| `%s` | %s |\n", key.Name, key.Reason)
				continue
			}
			onGateway, sets := "yes", key.To
			if key.AppOnly {
				onGateway = "no"
			}
			if key.Flag != "" {
				sets = "`" + key.Flag + "`"
			}
			fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", key.Name, onGateway, sets, key.Value.Text)
		}
	}
	table.WriteString("\n")
	return table.String()
}
