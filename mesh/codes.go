// SPDX-License-Identifier: Apache-2.0

package mesh

import "strings"

// Codes: 1xx coverage, 2xx routes, 3xx enrolment and companions, 4xx environment. Never reused.
const (
	CodeNotIsolated      Code = "DPR101"
	CodeFlowDenied       Code = "DPR102"
	CodeTooBroad         Code = "DPR103"
	CodeAuthReservedPeer Code = "DPR104"
	CodeL7OnInternal     Code = "DPR105"
	CodePolicyVoid       Code = "DPR106"
	CodeNotJudged        Code = "DPR107"
	CodeZtunnel          Code = "DPR108"
	CodeNeededByRoute    Code = "DPR109"
	CodeAppReachable     Code = "DPR110"
	CodeSelectorTypo     Code = "DPR111"
	CodeNamedPort        Code = "DPR112"
	CodeLabelHolder      Code = "DPR113"
	CodeMixedBackends    Code = "DPR201"
	CodeMixedParents     Code = "DPR202"
	CodeBackendPort      Code = "DPR203"
	CodeDaprHeaders      Code = "DPR204"
	CodeIgnoredFilter    Code = "DPR205"
	CodeHeaderForm       Code = "DPR206"
	CodeGrantMissing     Code = "DPR207"
	CodeCompanionService Code = "DPR208"
	CodeTooLarge         Code = "DPR209"
	CodeDaprCannotCarry  Code = "DPR210"
	CodePrefixRetarget   Code = "DPR211"
	CodeJoining          Code = "DPR212"
	CodeUnsupportedRule  Code = "DPR213"
	CodeUnknownKey       Code = "DPR301"
	CodeBadValue         Code = "DPR302"
	CodeNoPort           Code = "DPR303"
	CodeAppIDTaken       Code = "DPR304"
	CodeNameTaken        Code = "DPR305"
	CodeSidecarToo       Code = "DPR306"
	CodeDaprKeyRefused   Code = "DPR307"
	CodeServiceUnfit     Code = "DPR308"
	CodeAmbiguousService Code = "DPR309"
	CodeUnsafeOptOut     Code = "DPR310"
	CodeSuppression      Code = "DPR311"
	CodeConfiguration    Code = "DPR312"
	CodeLocalRedirect    Code = "DPR313"
	CodeKindMissing      Code = "DPR401"
	CodeDaprVersion      Code = "DPR402"
	CodeCiliumSetting    Code = "DPR403"
	CodeTrustBundle      Code = "DPR404"
)

// Codes are all codes, in their order.
func Codes() []Code {
	return []Code{
		CodeNotIsolated, CodeFlowDenied, CodeTooBroad, CodeAuthReservedPeer, CodeL7OnInternal, CodePolicyVoid,
		CodeNotJudged, CodeZtunnel, CodeNeededByRoute, CodeAppReachable, CodeSelectorTypo, CodeNamedPort, CodeLabelHolder,
		CodeMixedBackends, CodeMixedParents, CodeBackendPort, CodeDaprHeaders, CodeIgnoredFilter, CodeHeaderForm, CodeGrantMissing,
		CodeCompanionService, CodeTooLarge, CodeDaprCannotCarry, CodePrefixRetarget, CodeJoining, CodeUnsupportedRule,
		CodeUnknownKey, CodeBadValue, CodeNoPort, CodeAppIDTaken, CodeNameTaken, CodeSidecarToo, CodeDaprKeyRefused,
		CodeServiceUnfit, CodeAmbiguousService, CodeUnsafeOptOut, CodeSuppression, CodeConfiguration, CodeLocalRedirect,
		CodeKindMissing, CodeDaprVersion, CodeCiliumSetting, CodeTrustBundle,
	}
}

// Coverage says whether a code is of the family whose severity is the mode of a namespace.
func (c Code) Coverage() bool { return strings.HasPrefix(string(c), "DPR1") }

// Warns says whether a code can be a warning: coverage by the mode of its namespace, the others by their nature. The rest refuses
// wherever it is found.
func (c Code) Warns() bool {
	switch c {
	case CodeHeaderForm, CodeDaprCannotCarry, CodePrefixRetarget, CodeJoining, CodeSuppression, CodeConfiguration, CodeLocalRedirect, CodeKindMissing, CodeDaprVersion, CodeCiliumSetting, CodeTrustBundle:
		return true
	default:
		return c.Coverage()
	}
}
