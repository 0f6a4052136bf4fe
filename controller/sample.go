// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"encoding/binary"
	"errors"
	"math/bits"
)

const (
	// least is how many bytes in a row have to be a sample's so that they are not written out.
	least = 8
	// samplesKept is how many samples a kind has at a time, and poorFor how many texts in a row that are like none of them make the oldest leave.
	samplesKept = 8
	poorFor     = 64
	// longest is how long a sample may be, in bytes: texts beyond are found like one only in what they begin with.
	longest = 1 << 16
)

// errDelta says that a difference is none from the sample at hand.
var errDelta = errors.New("not a difference from this sample")

// sample is a text that others are like: the objects of one kind, as JSON, differ in names and in few values.
type sample struct{ text string }

// samples write texts as their difference from the sample that they are most like. One goroutine uses them at a time. A sample lives as long as
// something is written as the difference from it.
type samples struct {
	kept []matcher
	poor int
}

// matcher finds what a text has in common with a sample.
type matcher struct {
	*sample
	// at is where bytes of a hash are in the sample, plus one.
	at []uint16
}

func newMatcher(text string) matcher {
	m := matcher{&sample{text}, make([]uint16, 1<<bits.Len(uint(2*min(len(text), longest))))}
	for i := 0; i+least <= min(len(text), longest); i++ {
		// The first of several: what follows it is most of what there is.
		if slot := &m.at[m.hash(text[i:])]; *slot == 0 && i+1 < longest {
			*slot = uint16(i + 1)
		}
	}
	return m
}

// hash is of the first bytes of a text.
func (m matcher) hash(text string) uint64 {
	return eight(text) * 0x9E3779B97F4A7C15 >> (64 - bits.Len(uint(len(m.at)-1)))
}

func eight(text string) uint64 {
	_ = text[7]
	return uint64(text[0]) | uint64(text[1])<<8 | uint64(text[2])<<16 | uint64(text[3])<<24 |
		uint64(text[4])<<32 | uint64(text[5])<<40 | uint64(text[6])<<48 | uint64(text[7])<<56
}

// delta is a text as its difference from a sample, and that sample.
func (s *samples) delta(text string) (string, *sample) {
	best, from := "", -1
	for i, m := range s.kept {
		if d := string(m.delta(text)); from < 0 || len(d) < len(best) {
			best, from = d, i
		}
		if len(best) <= len(text)/4 {
			break
		}
	}
	if from < 0 || len(best) > len(text)/4 && s.wants() {
		return s.add(text)
	}
	if len(best) <= len(text)/4 {
		s.poor = 0
	}
	return best, s.kept[from].sample
}

// wants says, of a text that is like no sample, whether it becomes one.
func (s *samples) wants() bool {
	s.poor++
	return len(s.kept) < samplesKept || s.poor >= poorFor
}

func (s *samples) add(text string) (string, *sample) {
	if s.poor = 0; len(s.kept) >= samplesKept {
		s.kept = s.kept[1:]
	}
	m := newMatcher(text)
	s.kept = append(s.kept, m)
	return string(m.delta(text)), m.sample
}

// delta is, in a row: how many bytes follow that are the text's own, those, how many are the sample's, and how far these are from where the
// ones before ended. It begins with the length of the text.
func (m matcher) delta(text string) []byte {
	out := binary.AppendUvarint(make([]byte, 0, len(text)/4), uint64(len(text)))
	own, end := 0, 0
	for i := 0; i+least <= len(text); {
		from, ok := m.find(text[i:], end+i-own)
		if !ok {
			i++
			continue
		}
		for i > own && from > 0 && text[i-1] == m.text[from-1] {
			i, from = i-1, from-1
		}
		n := common(text[i:], m.text[from:])
		out = binary.AppendUvarint(out, uint64(i-own))
		out = append(out, text[own:i]...)
		out = binary.AppendUvarint(out, uint64(n))
		out = binary.AppendVarint(out, int64(from-end))
		own, end = i+n, from+n
		i = own
	}
	out = binary.AppendUvarint(out, uint64(len(text)-own))
	return append(out, text[own:]...)
}

// find is where the sample has the first bytes of a text: at a likely place, where something of the same length stands for another, or
// anywhere.
func (m matcher) find(text string, likely int) (int, bool) {
	if likely+least <= len(m.text) && eight(text) == eight(m.text[likely:]) {
		return likely, true
	}
	at := int(m.at[m.hash(text)]) - 1
	return at, at >= 0 && eight(text) == eight(m.text[at:])
}

// common is how many bytes two texts begin with in common.
func common(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// apply is the text of a difference.
func (s *sample) apply(delta string) ([]byte, error) {
	rest := remains{delta}
	length, ok := rest.count()
	if !ok || length > len(delta)*(len(s.text)+1) {
		return nil, errDelta
	}
	text := make([]byte, 0, length)
	for end := 0; ; {
		own, ok := rest.count()
		if !ok || own > len(rest.text) {
			return nil, errDelta
		}
		text, rest.text = append(text, rest.text[:own]...), rest.text[own:]
		if rest.text == "" {
			break
		}
		n, ok := rest.count()
		by, moved := rest.distance()
		from := end + by
		if !ok || !moved || from < 0 || from > len(s.text) || n > len(s.text)-from {
			return nil, errDelta
		}
		end = from + n
		text = append(text, s.text[from:end]...)
	}
	if len(text) != length {
		return nil, errDelta
	}
	return text, nil
}

// remains are what is left of a delta to read.
type remains struct{ text string }

func (d *remains) count() (int, bool) {
	value, shift := uint64(0), 0
	for i := range min(len(d.text), 9) {
		value |= uint64(d.text[i]&0x7f) << shift
		if shift += 7; d.text[i] < 0x80 {
			d.text = d.text[i+1:]
			return int(value), value < 1<<62
		}
	}
	return 0, false
}

func (d *remains) distance() (int, bool) {
	value, ok := d.count()
	if value&1 != 0 {
		return ^(value >> 1), ok
	}
	return value >> 1, ok
}
