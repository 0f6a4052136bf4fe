// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestSamplesKeepWhatDiffers(t *testing.T) {
	text := func(name string) string {
		return fmt.Sprintf(`{"metadata":{"annotations":{"a":"%s"}},"spec":{"selector":{"matchLabels":{"app":%q}},"image":"registry/daprd:1.18.2","args":["--app-id","%s"],"anchors":"%s"}}`,
			name, name, name, strings.Repeat("MIIB", 200))
	}
	var s samples
	first, on := s.delta(text("whoami"))
	other, same := s.delta(text("another-app"))
	if on != same {
		t.Error("what is alike has samples of its own")
	}
	for delta, want := range map[string]string{first: text("whoami"), other: text("another-app")} {
		if got, err := on.apply(delta); err != nil || string(got) != want {
			t.Errorf("%s, %v\nwant %s", got, err, want)
		}
		if len(delta) > 80 {
			t.Errorf("%d bytes for %d", len(delta), len(want))
		}
	}
}

// What is like nothing does not make samples without end, and what was written before can still be read.
func TestSamplesAreFew(t *testing.T) {
	var s samples
	type one struct {
		text, delta string
		sample      *sample
	}
	var all []one
	for i := range 5 * poorFor {
		text := strings.Repeat(fmt.Sprintf("%d-%d ", i*i, i*7919), 40)
		delta, on := s.delta(text)
		all = append(all, one{text, delta, on})
	}
	if len(s.kept) > samplesKept {
		t.Errorf("%d samples", len(s.kept))
	}
	for _, o := range all {
		if got, err := o.sample.apply(o.delta); err != nil || string(got) != o.text {
			t.Fatalf("%q, %v, want %q", got, err, o.text)
		}
	}
}

// Whatever differs, and however much there is, a text comes back as it was.
func TestSamplesGiveBackWhatTheyTook(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	text := []byte(strings.Repeat(`{"name":"app","image":"daprd"}`, 3000))
	var s samples
	for i := range 300 {
		changed := slices.Clone(text[random.IntN(len(text)):])
		for range random.IntN(9) {
			if at := random.IntN(len(changed) + 1); at < len(changed) {
				changed = slices.Replace(changed, at, min(len(changed), at+random.IntN(50)), []byte(fmt.Sprint(random.Uint64()))[:random.IntN(15)]...)
			}
		}
		delta, on := s.delta(string(changed))
		if got, err := on.apply(delta); err != nil || !slices.Equal(got, changed) {
			t.Fatalf("text %d of %d bytes is another: %d bytes, %v", i, len(changed), len(got), err)
		}
	}
}

func FuzzSample(f *testing.F) {
	f.Add("", "", "")
	f.Add("abcdefghijkl", "abcdefghijklm", "\x02ab")
	f.Add(strings.Repeat("abcdefgh", 9000), strings.Repeat("bcdefgha", 9000), "\x10\x00\x08\x01\x00")
	f.Fuzz(func(t *testing.T, text, other, broken string) {
		m := newMatcher(text)
		got, err := m.apply(string(m.delta(other)))
		if err != nil || string(got) != other {
			t.Errorf("%q, %v, want %q", got, err, other)
		}
		if got, err := m.apply(broken); err == nil && len(got) > len(broken)+len(text)*len(broken) {
			t.Errorf("%q gives %d bytes", broken, len(got))
		}
	})
}
