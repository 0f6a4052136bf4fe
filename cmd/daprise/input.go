// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/daprise/daprise/cmd/daprise/internal/document"
	"github.com/daprise/daprise/cmd/daprise/internal/live"
	"github.com/daprise/daprise/cmd/daprise/internal/world"
	"github.com/daprise/daprise/mesh"
)

// defaultCilium is the version of Cilium that files are judged for where they do not hold one: the one that mesh/policy models.
const defaultCilium = "1.20.2"

var (
	errMode    = errors.New("not a coverage mode")
	errProblem = errors.New("some of the input could not be read")
)

// input is where a command reads its objects.
type input struct {
	sources       document.Sources
	namespace     string
	mode          string
	config        string
	ciliumVersion string
	trustBundle   string
	// anew leaves out companions' objects of the input.
	anew bool
	// annotations are changed before anything is decided.
	annotations map[mesh.Object]map[string]string

	live   bool
	access live.Access
}

// bindFiles adds the flags of a command that reads files.
func (in *input) bindFiles(command *cobra.Command) {
	flags := command.Flags()
	flags.StringArrayVarP(&in.sources.Files, "filename", "f", nil, "file, directory or URL to read, - for standard input; may be repeated")
	flags.BoolVarP(&in.sources.Recursive, "recursive", "R", false, "read directories of directories, too")
	flags.StringArrayVarP(&in.sources.Kustomize, "kustomize", "k", nil, "kustomization directory to build and read; may be repeated")
	flags.StringVarP(&in.namespace, "namespace", "n", "default", "namespace of objects that name none")
	flags.StringVar(&in.config, "config", "", "config file of daprise-webhook; by default the one in ConfigMap daprise-config of the input, else the defaults")
}

// bind adds the flags of a command that decides.
func (in *input) bind(command *cobra.Command) {
	in.bindFiles(command)
	flags := command.Flags()
	flags.StringVar(&in.mode, "mode", "", "coverage mode of all namespaces, instead of their labels: audit, warn, enforce or strict")
	flags.StringVar(&in.ciliumVersion, "cilium-version", defaultCilium, "version of the cluster's Cilium, where the input does not hold it")
	flags.StringVar(&in.trustBundle, "trust-bundle", "", "PEM file with Dapr's trust anchors, where the input does not hold ConfigMap dapr-trust-bundle")
}

// bindLive adds the flags of a command that may read a cluster.
func (in *input) bindLive(command *cobra.Command) {
	flags := command.Flags()
	flags.BoolVar(&in.live, "live", false, "read the cluster, too: files stand for objects that are written to it")
	flags.Lookup("namespace").Usage += "; with --live that of the context by default"
	in.access.Bind(flags)
}

// asked has the input judged as what is asked for, whether it is covered yet or not.
func (in *input) asked() { in.mode, in.ciliumVersion = string(mesh.ModeAudit), defaultCilium }

// read reads the files and tells what could not be read. The rest is used all the same.
func (in *input) read(command *cobra.Command) ([]document.File, error) {
	in.sources.Stdin, in.sources.Wanted = command.InOrStdin(), world.Wanted()
	shown := progressOn(command.ErrOrStderr())
	in.sources.Reading = func(name string) { shown.tell("reading %s", name) }
	defer shown.end()
	var files []document.File
	if in.live {
		stored, err := in.stored(command)
		if err != nil {
			return nil, err
		}
		files = append(files, stored)
		if len(in.sources.Files)+len(in.sources.Kustomize) == 0 {
			return files, nil
		}
	}
	read, err := in.sources.Read(command.Context())
	return append(files, read...), err
}

// stored is what the cluster holds. What a cluster does not say is not assumed, and files without a namespace are for that of the context,
// as they are for kubectl.
func (in *input) stored(command *cobra.Command) (document.File, error) {
	reader, err := in.access.Client()
	if err != nil {
		return document.File{}, err
	}
	config, err := live.MeshConfig(command.Context(), reader)
	if err != nil {
		return document.File{}, err
	}
	in.ciliumVersion = ""
	if !command.Flags().Changed("namespace") {
		if in.namespace, err = in.access.Namespace(); err != nil {
			return document.File{}, err
		}
	}
	shown := progressOn(command.ErrOrStderr())
	return live.Read(command.Context(), reader, live.What{Config: config, Reading: func(kind string) { shown.tell("reading the cluster: %s", kind) }})
}

// open reads the input into a World.
func (in *input) open(command *cobra.Command) (*world.World, []document.File, error) {
	files, options, err := in.load(command)
	if err != nil {
		return nil, nil, err
	}
	shown := progressOn(command.ErrOrStderr())
	shown.tell("judging")
	defer shown.end()
	w, err := world.New(command.Context(), files, options)
	return w, files, err
}

// ask reads the input into a World of which only pods and policies are asked.
func (in *input) ask(command *cobra.Command) (*world.World, []document.File, error) {
	files, options, err := in.load(command)
	if err != nil {
		return nil, nil, err
	}
	w, err := world.Enrolled(files, options)
	return w, files, err
}

// load reads the input, and what the command line says of the world that it is.
func (in *input) load(command *cobra.Command) ([]document.File, world.Options, error) {
	files, err := in.read(command)
	if err != nil {
		return nil, world.Options{}, err
	}
	options, err := in.options(files)
	return files, options, err
}

func (in *input) options(files []document.File) (world.Options, error) {
	o := world.Options{Namespace: in.namespace, CiliumVersion: in.ciliumVersion, Mode: mesh.Mode(in.mode), Anew: in.anew, Annotations: in.annotations}
	modes := []mesh.Mode{"", mesh.ModeAudit, mesh.ModeWarn, mesh.ModeEnforce, mesh.ModeStrict}
	if !slices.Contains(modes, o.Mode) {
		return o, fmt.Errorf("--mode: %w: %q; it is audit, warn, enforce or strict", errMode, in.mode)
	}
	if in.trustBundle != "" {
		anchors, err := os.ReadFile(in.trustBundle)
		if err != nil {
			return o, fmt.Errorf("--trust-bundle: %w", err)
		}
		o.TrustAnchors = string(anchors)
	}
	var err error
	o.Config, err = in.configuration(files)
	return o, err
}

// configuration is the config file that decisions follow.
func (in *input) configuration(files []document.File) (mesh.Config, error) {
	if in.config != "" {
		data, err := os.ReadFile(in.config)
		if err != nil {
			return mesh.Config{}, fmt.Errorf("--config: %w", err)
		}
		config, err := mesh.ParseConfig(data)
		if err != nil {
			return mesh.Config{}, fmt.Errorf("--config: %s: %w", in.config, err)
		}
		return config, nil
	}
	data, err := world.ConfigIn(files)
	if err != nil || data == "" {
		return mesh.DefaultConfig(), err
	}
	config, err := mesh.ParseConfig([]byte(data))
	if err != nil {
		return mesh.Config{}, fmt.Errorf("ConfigMap %s/%s of the input: %w", mesh.SystemNamespace, world.ConfigMap, err)
	}
	return config, nil
}

// problems are what could not be read, of files and of a World, which may be nil.
func problems(files []document.File, w *world.World) []document.Problem {
	var all []document.Problem
	for _, f := range files {
		all = append(all, f.Problems...)
	}
	if w != nil {
		all = append(all, w.Problems...)
	}
	return all
}

// tell writes problems to standard error. The exit status is that of unreadable input then, whatever else was found.
func tell(command *cobra.Command, all []document.Problem) error {
	for _, p := range all {
		command.PrintErrln(p.String())
	}
	if len(all) > 0 {
		return &exit{status: exitUsage, err: errProblem}
	}
	return nil
}
