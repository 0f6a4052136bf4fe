// SPDX-License-Identifier: Apache-2.0

package mesh

// nearest is the name with the smallest edit distance (Levenshtein's) to what was written; of several, the first by name.
func nearest(written string, names []string) string {
	best, least := "", -1
	for _, name := range names {
		if d := distance(written, name); least < 0 || d < least || d == least && name < best {
			best, least = name, d
		}
	}
	return best
}

// distance is the least number of bytes to insert, remove or replace. Its cost is bounded: keys of annotations have at most 317 bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(row[j]+1, diagonal+1, replaced)
		}
	}
	return row[len(b)]
}
