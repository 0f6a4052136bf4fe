// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/daprise/daprise/test/controlplane/parts"
)

// place is where one control plane lives: its folder and its turn.
type place struct {
	dir  string
	kept bool // by leave, since the caller named it
	slot *parts.Lock
	// owner is locked while the folder is in use; folders whose owner died are swept.
	owner *parts.Lock
}

const fileOwner = "owner.lock"

// takePlace waits for a turn and makes the folder.
func takePlace(ctx context.Context, cache string, options Options) (*place, error) {
	slot, err := takeSlot(ctx, cache, options)
	if err != nil {
		return nil, err
	}
	taken := &place{dir: options.Dir, kept: options.Dir != "", slot: slot}
	if taken.kept {
		err = taken.makeNamed()
	} else {
		err = taken.makeOwn(ctx, filepath.Join(cache, "run"))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make the folder of the control plane: %w", err), slot.Unlock())
	}
	return taken, nil
}

func takeSlot(ctx context.Context, cache string, options Options) (*parts.Lock, error) {
	if options.Slots == Unlimited {
		return nil, nil
	}
	var files []string
	for i := range options.Slots {
		files = append(files, filepath.Join(cache, fmt.Sprintf("slot-%d.lock", i+1)))
	}
	return parts.LockAny(ctx, options.Log, "another control plane to stop", files...)
}

// makeNamed uses the caller's folder, made absolute. Data of an earlier control
// plane there is not taken over: its certificate authority is gone.
func (p *place) makeNamed() error {
	absolute, err := filepath.Abs(p.dir)
	if err != nil {
		return err
	}
	p.dir = absolute
	if err := os.MkdirAll(p.dir, 0o755); err != nil {
		return err
	}
	if alive := detachedProcesses(p.dir); len(alive) > 0 {
		return fmt.Errorf("%s: %w", p.dir, errInUse)
	}
	return errors.Join(os.RemoveAll(filepath.Join(p.dir, "etcd")), os.RemoveAll(filepath.Join(p.dir, fileAuditLog)))
}

var errInUse = errors.New("a control plane is running there")

// makeOwn makes a fresh folder under run and removes those of processes that
// were killed before they could.
func (p *place) makeOwn(ctx context.Context, run string) error {
	if err := os.MkdirAll(run, 0o755); err != nil {
		return err
	}
	// A folder exists for a moment before its owner holds it: one at a time.
	sweeping, err := parts.LockAny(ctx, nil, "the folder of control planes", run+".lock")
	if err != nil {
		return err
	}
	err = errors.Join(sweep(run), p.makeOwned(run))
	return errors.Join(err, sweeping.Unlock())
}

func (p *place) makeOwned(run string) error {
	dir, err := os.MkdirTemp(run, "")
	if err != nil {
		return err
	}
	p.dir = dir
	p.owner, err = parts.TryLock(filepath.Join(dir, fileOwner))
	return err
}

func sweep(run string) error {
	folders, err := os.ReadDir(run)
	if err != nil {
		return err
	}
	var errs []error
	for _, folder := range folders {
		dir := filepath.Join(run, folder.Name())
		owner, err := parts.TryLock(filepath.Join(dir, fileOwner))
		if err != nil || owner == nil {
			continue // in use, or no folder of ours
		}
		errs = append(errs, os.RemoveAll(dir), owner.Unlock())
	}
	return errors.Join(errs...)
}

// writePIDs records the processes for StopDir.
func (p *place) writePIDs(processes []*process) error {
	var lines strings.Builder
	for _, one := range processes {
		_, _ = fmt.Fprintf(&lines, "%d %s\n", one.pid, one.path)
	}
	return os.WriteFile(filepath.Join(p.dir, filePIDs), []byte(lines.String()), 0o644)
}

// leave removes the folder if it is ours and gives the turn to the next.
func (p *place) leave() error {
	var err error
	if p.kept {
		err = os.RemoveAll(filepath.Join(p.dir, filePIDs))
	} else {
		err = os.RemoveAll(p.dir)
	}
	return errors.Join(err, p.owner.Unlock(), p.slot.Unlock())
}
