// SPDX-License-Identifier: Apache-2.0

//go:build linux

package world

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// InstallTools installs from Debian, by name, what this machine lacks of the
// programs that networks are made with. It says so before it does.
func InstallTools(ctx context.Context, log io.Writer) error {
	var missing []string
	for program, pkg := range map[string]string{"ip": "iproute2", "nft": "nftables"} {
		if _, err := exec.LookPath(program); err != nil {
			missing = append(missing, pkg)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	_, _ = fmt.Fprintf(log, "datapath: installing %s from Debian\n", strings.Join(missing, " and "))
	for _, args := range [][]string{
		{"update", "-qq"},
		append([]string{"install", "-y", "-qq", "--no-install-recommends"}, missing...),
	} {
		cmd := exec.CommandContext(ctx, "apt-get", args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("apt-get %s: %w\n%s", strings.Join(args, " "), err, out)
		}
	}
	return nil
}
