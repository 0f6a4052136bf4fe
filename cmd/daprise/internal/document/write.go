// SPDX-License-Identifier: Apache-2.0

package document

import "iter"

// Written is a file with its documents edited, piece by piece: edit gives the text of a document, or false where it is left out. Everything
// else stays as it is, but for the commas of a List in JSON, of which those go that stand beside what is left out.
func (f File) Written(edit func(*Document) (text []byte, keep bool)) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		// waiting is the separator before the next item; it is written if an item of the List was, and another follows.
		var waiting []byte
		written := false
		for _, s := range f.Segments {
			switch s.listed {
			case separator:
				waiting = s.Text
				continue
			case alone:
				waiting, written = nil, false
			}
			text, keep := s.Text, true
			if s.Document != nil {
				text, keep = edit(s.Document)
			}
			if !keep {
				continue
			}
			if s.listed == item {
				if written && !yield(waiting) {
					return
				}
				written = true
			}
			if !yield(text) {
				return
			}
		}
	}
}
