// SPDX-License-Identifier: Apache-2.0

package hooks

import (
	"crypto/x509"
	"encoding/pem"
)

// Certificates are those in PEM, such as a caBundle. What is no certificate, or cannot be read as one, is left out.
func Certificates(data []byte) []*x509.Certificate {
	var all []*x509.Certificate
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return all
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		if certificate, err := x509.ParseCertificate(block.Bytes); err == nil {
			all = append(all, certificate)
		}
	}
}
