// SPDX-License-Identifier: Apache-2.0

//go:build unix

package parts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"
)

const (
	lockPoll  = 100 * time.Millisecond
	tellEvery = 15 * time.Second
)

// Lock is an exclusive lock between processes, held on an open file. The
// kernel releases it when the process ends, however it ends.
type Lock struct{ file *os.File }

// TryLock locks the file at path, which it creates, or returns nil and no
// error when another process (or another call in this one) holds it.
func TryLock(path string) (*Lock, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return &Lock{file: file}, nil
	}
	closeErr := file.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, closeErr
	}
	return nil, fmt.Errorf("lock %s: %w", path, errors.Join(err, closeErr))
}

// LockAny waits until it holds one of the files at paths, telling log every 15
// seconds what it waits for. It returns early only with ctx's error.
func LockAny(ctx context.Context, log io.Writer, what string, paths ...string) (*Lock, error) {
	started := time.Now()
	told := started
	for {
		for _, path := range paths {
			if lock, err := TryLock(path); lock != nil || err != nil {
				return lock, err
			}
		}
		if time.Since(told) >= tellEvery || told.Equal(started) {
			told = time.Now()
			tell(log, "waiting for %s: %d s", what, int(time.Since(started).Seconds()))
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for %s: %w", what, context.Cause(ctx))
		case <-time.After(lockPoll):
		}
	}
}

// Unlock releases the lock. It may be called on nil.
func (l *Lock) Unlock() error {
	if l == nil {
		return nil
	}
	return l.file.Close()
}

// tell writes one line of progress; a log that cannot be written to must not
// stop a build.
func tell(log io.Writer, format string, args ...any) {
	if log == nil {
		return
	}
	_, _ = fmt.Fprintf(log, "controlplane: "+format+"\n", args...)
}
