// SPDX-License-Identifier: Apache-2.0

package mesh

import "fmt"

// Joining says that rules of a route still go straight to an app that is in the mesh. The text depends on nothing but what waits, so
// that the API server shows it once where several hooks say it.
func Joining(route Object, app App, ingress Ingress) Finding {
	waits := "the companion of app " + app.String()
	switch {
	case !app.Companion.Ready && !ingress.Companion.Ready:
		waits = fmt.Sprintf("the companions of app %s and Gateway %s/%s", app, ingress.Namespace, ingress.Gateway)
	case app.Companion.Ready && ingress.Companion.Ready:
		waits = "the route is admitted again"
	case app.Companion.Ready:
		waits = fmt.Sprintf("the companion of Gateway %s/%s", ingress.Namespace, ingress.Gateway)
	}
	if !app.Companion.Ready || !ingress.Companion.Ready {
		waits += " can take requests"
	}
	return Finding{
		Code: CodeJoining, Severity: Warn, Object: route, Field: "spec.rules",
		Message: fmt.Sprintf("Joining: rules go straight to Service %s/%s until %s", app.Namespace, app.Service, waits),
		Fix:     "Wait: they are rewritten then. The conditions of the enrolled objects say what is missing.",
	}
}
