// SPDX-License-Identifier: Apache-2.0

package mesh

// CiliumEncrypts says that companions leave encryption to Cilium, and that its ConfigMap shows both that Cilium encrypts what nodes send
// to each other and that its policies can ask for mutual authentication.
func (v *View) CiliumEncrypts() bool {
	return v.Config.Dapr.Encryption == EncryptionCilium && v.Cilium.Encrypts && v.Cilium.Authenticates
}

// CheckEncryption (DPR403) says why companions may not leave encryption to Cilium though dapr.encryption says so: without Dapr's mTLS what
// they send would be readable, or whoever sends it unknown. The finding is about no object in particular.
func (v *View) CheckEncryption() []Finding {
	if v.Config.Dapr.Encryption != EncryptionCilium || v.CiliumEncrypts() {
		return nil
	}
	missing := "enable-wireguard or enable-ipsec"
	if v.Cilium.Encrypts {
		missing = "mesh-auth-mutual-enabled"
	}
	return []Finding{{
		Code: CodeCiliumSetting, Severity: Warn,
		Message: `dapr.encryption is "cilium", and ConfigMap cilium-config does not say ` + missing + `: "true", so that companions do not start without Dapr's mTLS`,
		Fix:     `Set it in Cilium, or dapr.encryption: dapr in daprise's config file, which is what to prefer: Cilium deprecates mutual authentication.`,
	}}
}
