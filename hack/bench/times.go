// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// hundredth is the unit of processor times in proc(5): USER_HZ is 100 on every Linux that Go runs on.
const hundredth = 10 * time.Millisecond

// times are the processor times, user and system, that processes have used so far, by the names of their programs.
type times map[string]time.Duration

// timesNow are the times of this process and its children (proc_pid_stat(5)).
func timesNow() (times, error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, fmt.Errorf("read processor times: %w", err)
	}
	self, all := os.Getpid(), times{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended since
		}
		line := string(data)
		// The name is in parentheses and may hold blanks.
		first, last := strings.IndexByte(line, '('), strings.LastIndexByte(line, ')')
		fields := strings.Fields(line[last+1:])
		if first < 0 || len(fields) < 13 {
			return nil, fmt.Errorf("read processor times: %q", line)
		}
		pid, parent := number(line[:first]), number(fields[1])
		if pid != self && parent != self {
			continue
		}
		name := line[first+1 : last]
		if name == filepath.Base(os.Args[0]) && pid != self {
			name += " (child)"
		}
		all[name] += time.Duration(number(fields[11])+number(fields[12])) * hundredth
	}
	return all, nil
}

func number(field string) int {
	n, err := strconv.Atoi(strings.TrimSpace(field))
	if err != nil {
		return 0
	}
	return n
}

// since is what was used between two moments.
func (t times) since(before times) times {
	used := times{}
	for name, now := range t {
		used[name] = now - before[name]
	}
	return used
}

// printTimes tells the processor time of each program for one object of each lane, until all was quiet again.
func (b *bench) printTimes(out io.Writer, kind string) error {
	programs := map[string]bool{}
	for _, l := range b.lanes {
		for _, used := range l.used[kind] {
			for name := range used {
				programs[name] = true
			}
		}
	}
	names := slices.Sorted(maps.Keys(programs))
	t := newTable(out, append([]string{kind + ", processor time of each, ms"}, names...)...)
	for _, l := range b.lanes {
		row := []string{l.name}
		for _, name := range names {
			each := medianOf(l.used[kind], func(used times) float64 { return used[name].Seconds() * 1000 / float64(b.count) })
			row = append(row, fmt.Sprintf("%.2f", each))
		}
		t.row(row...)
	}
	return t.flush()
}
