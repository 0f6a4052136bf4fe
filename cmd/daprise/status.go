// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"time"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/cmd/daprise/internal/live"
	"github.com/daprise/daprise/cmd/daprise/internal/status"
	"github.com/daprise/daprise/mesh"
)

var errInterval = errors.New("not a time between two looks; it is a second or more")

// standing is the command line of daprise status.
type standing struct {
	access    live.Access
	namespace string
	output    string
	watch     bool
	interval  time.Duration
	now       func() time.Time
}

// leastInterval keeps a watch from being a load.
const leastInterval = time.Second

func showStatus() *cobra.Command {
	s := &standing{now: time.Now}
	command := &cobra.Command{
		Use:   "status",
		Short: "Show how the apps and Gateways of the mesh stand",
		Long: `Shows each enrolled app and Gateway: what its companion is at, how many of its pods are ready, whether it is covered, how many routes lead
through it, and since when routes wait for it. The words are the reasons of the conditions that daprise reports; -o wide also says what stands in the way.
Whatever is found, the exit status is 0.`,
		Example: "  daprise status\n  daprise status -n shop --watch\n  daprise status -o json",
		Args:    cobra.NoArgs,
		RunE:    s.run,
	}
	flags := command.Flags()
	flags.StringVarP(&s.namespace, "namespace", "n", "", "one namespace; by default all")
	flags.StringVarP(&s.output, "output", "o", "table", "table, wide, json or yaml")
	flags.BoolVarP(&s.watch, "watch", "w", false, "look again and again, and show what has changed, until interrupted")
	flags.DurationVar(&s.interval, "interval", 2*time.Second, "time between two looks of --watch")
	s.access.Bind(flags)
	return command
}

func (s *standing) run(command *cobra.Command, _ []string) error {
	if !slices.Contains([]string{"table", "wide", "json", "yaml"}, s.output) {
		return fmt.Errorf("-o: %w: %q; it is table, wide, json or yaml", errFormat, s.output)
	}
	if s.interval < leastInterval {
		return fmt.Errorf("--interval: %w: %s", errInterval, s.interval)
	}
	reader, err := s.access.Client()
	if err != nil {
		return err
	}
	rows, err := s.rows(command.Context(), reader)
	if err != nil {
		return err
	}
	if err := s.write(command.OutOrStdout(), rows); err != nil || !s.watch {
		return err
	}
	return s.follow(command, reader, rows)
}

// follow shows rows again whenever they have changed. What cannot be read now may be read a moment later: it is told, once.
func (s *standing) follow(command *cobra.Command, reader client.Reader, shown []status.Row) error {
	ticker := time.NewTicker(s.interval)
	defer ticker.Stop()
	told := ""
	for {
		select {
		case <-command.Context().Done():
			return nil
		case <-ticker.C:
		}
		rows, err := s.rows(command.Context(), reader)
		switch {
		case command.Context().Err() != nil:
			return nil
		case err != nil && err.Error() != told:
			told = err.Error()
			command.PrintErrln("daprise:", err)
		case err == nil && !reflect.DeepEqual(rows, shown):
			told, shown = "", rows
			if err := s.again(command.OutOrStdout(), rows); err != nil {
				return err
			}
		}
	}
}

// again writes rows that are not the first: on a terminal in place of those before, elsewhere after them.
func (s *standing) again(out io.Writer, rows []status.Row) error {
	separator := "\n"
	if file, ok := out.(*os.File); ok && isTerminal(file) {
		separator = "\x1b[H\x1b[2J"
	}
	switch s.output {
	case "json":
		separator = ""
	case "yaml":
		separator = "---\n"
	}
	if _, err := io.WriteString(out, separator); err != nil {
		return err
	}
	return s.write(out, rows)
}

func (s *standing) write(out io.Writer, rows []status.Row) error {
	var text string
	switch s.output {
	case "json", "yaml":
		if rows == nil {
			rows = []status.Row{}
		}
		data, err := json.MarshalIndent(rows, "", "  ")
		if err != nil {
			return err
		}
		text = string(data) + "\n"
		if s.output == "yaml" {
			if data, err = yaml.JSONToYAML(data); err != nil {
				return err
			}
			text = string(data)
		}
	case "wide":
		text = status.Table(rows, status.Wide, s.now())
	default:
		text = status.Table(rows, status.Narrow, s.now())
	}
	_, err := io.WriteString(out, text)
	return err
}

// rows reads the cluster. Whoever asks for one namespace and may read no more gets what that one says: routes of others are not counted then.
func (s *standing) rows(ctx context.Context, reader client.Reader) ([]status.Row, error) {
	config, err := live.MeshConfig(ctx, reader)
	if apierrors.IsForbidden(err) && s.namespace != "" {
		config, err = mesh.DefaultConfig(), nil
	}
	if err != nil {
		return nil, err
	}
	c := status.Cluster{Config: config}
	in := client.InNamespace(s.namespace)
	if c.Objects.Services, err = live.List[*corev1.Service](ctx, reader, &corev1.ServiceList{}, in); err != nil {
		return nil, err
	}
	if c.Objects.Deployments, err = live.List[*appsv1.Deployment](ctx, reader, &appsv1.DeploymentList{}, in); err != nil {
		return nil, err
	}
	ours := client.MatchingLabels{mesh.LabelManagedBy: mesh.ManagedByDaprise}
	if c.DaemonSets, err = live.List[*appsv1.DaemonSet](ctx, reader, &appsv1.DaemonSetList{}, in, ours); err != nil {
		return nil, err
	}
	if c.Objects.Gateways, err = anywhere[*gatewayv1.Gateway](ctx, reader, &gatewayv1.GatewayList{}, s.namespace); err != nil {
		return nil, err
	}
	if c.HTTPRoutes, err = anywhere[*gatewayv1.HTTPRoute](ctx, reader, &gatewayv1.HTTPRouteList{}, s.namespace); err != nil {
		return nil, err
	}
	if c.GRPCRoutes, err = anywhere[*gatewayv1.GRPCRoute](ctx, reader, &gatewayv1.GRPCRouteList{}, s.namespace); err != nil {
		return nil, err
	}
	rows := status.Rows(c)
	return slices.DeleteFunc(rows, func(r status.Row) bool { return s.namespace != "" && r.Namespace != s.namespace }), nil
}

// anywhere lists objects of all namespaces, or of the one that is asked for where that is all that may be read.
func anywhere[T client.Object](ctx context.Context, reader client.Reader, empty client.ObjectList, namespace string) ([]T, error) {
	objects, err := live.List[T](ctx, reader, empty)
	if apierrors.IsForbidden(err) && namespace != "" {
		return live.List[T](ctx, reader, empty, client.InNamespace(namespace))
	}
	return objects, err
}
