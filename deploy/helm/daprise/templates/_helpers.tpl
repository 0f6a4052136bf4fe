{{/* SPDX-License-Identifier: Apache-2.0 */}}

{{/* Every object comes from a list in generated/, which `go run ./hack/gen` writes, and is changed only where a value says so. */}}

{{/* The list of a generated file as YAML under the key "objects". */}}
{{- define "daprise.generated" -}}
{{- dict "objects" (.root.Files.Get (printf "generated/%s.yaml" .file) | fromYamlArray) | toYaml -}}
{{- end -}}

{{/* The one object of a kind in a generated file. */}}
{{- define "daprise.one" -}}
{{- $kind := .kind -}}
{{- range (include "daprise.generated" . | fromYaml).objects -}}
{{- if eq .kind $kind }}{{ toYaml . }}{{ end -}}
{{- end -}}
{{- end -}}

{{/* An object with the chart's labels. */}}
{{- define "daprise.object" -}}
{{- $labels := include "daprise.labels" .root | fromYaml -}}
{{- $_ := set .object.metadata "labels" (merge (.object.metadata.labels | default dict) $labels) -}}
{{- toYaml .object -}}
{{- end -}}

{{- define "daprise.labels" -}}
app.kubernetes.io/name: daprise-webhook
app.kubernetes.io/part-of: daprise
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "daprise.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* The config file. An empty list says the same as none. */}}
{{- define "daprise.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- range $key := list "scrapers" "exemptNamespaces" }}{{ if not (get $config $key) }}{{ $_ := unset $config $key }}{{ end }}{{ end -}}
{{- toYaml $config }}
{{ end -}}
