// SPDX-License-Identifier: Apache-2.0

package mesh

// Mode is what coverage findings do in a namespace (label daprise.dev/coverage), from the mildest to the strictest.
type Mode string

// Coverage modes.
const (
	ModeAudit   Mode = "audit"
	ModeWarn    Mode = "warn"
	ModeEnforce Mode = "enforce"
	ModeStrict  Mode = "strict"
)

// Mode is the strictest mode of the namespaces named. A namespace without the label has the default of the config file; an unknown
// value counts as enforce.
func (v *View) Mode(namespaces ...string) Mode {
	strictest := ModeAudit
	for _, ns := range namespaces {
		if m := v.modeOf(ns); m.rank() > strictest.rank() {
			strictest = m
		}
	}
	if len(namespaces) == 0 {
		return ModeEnforce
	}
	return strictest
}

func (v *View) modeOf(namespace string) Mode {
	value, ok := v.Namespaces[namespace][LabelCoverage]
	if !ok {
		value = string(v.Config.Defaults.Coverage)
	}
	switch m := Mode(value); m {
	case ModeAudit, ModeWarn, ModeEnforce, ModeStrict:
		return m
	default:
		return ModeEnforce
	}
}

// Severity is what a coverage finding becomes in a mode.
func (m Mode) Severity() Severity {
	switch m {
	case ModeAudit:
		return Audit
	case ModeWarn:
		return Warn
	default:
		return Deny
	}
}

func (m Mode) rank() int {
	switch m {
	case ModeAudit:
		return 0
	case ModeWarn:
		return 1
	case ModeStrict:
		return 3
	default:
		return 2
	}
}

// Policies says who writes the covering policies of a namespace (label daprise.dev/policies).
type Policies string

// Values of daprise.dev/policies.
const (
	PoliciesManual   Policies = "manual"
	PoliciesGenerate Policies = "generate"
)

// PoliciesOf is the namespace's own setting or the config file's default. An unknown value counts as manual: nothing is opened by a typo.
func (v *View) PoliciesOf(namespace string) Policies {
	value, ok := v.Namespaces[namespace][LabelPolicies]
	if !ok {
		value = string(v.Config.Defaults.Policies)
	}
	if Policies(value) == PoliciesGenerate {
		return PoliciesGenerate
	}
	return PoliciesManual
}
