{{/* Name of the chart, as it stands in labels. */}}
{{- define "cloud-optimised.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Name of every object. At most 50 characters, so that "-metrics" and the pod suffixes fit behind it. */}}
{{- define "cloud-optimised.fullname" -}}
{{- $name := include "cloud-optimised.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels that select the operator's pod: they never change between versions. */}}
{{- define "cloud-optimised.selectorLabels" -}}
app.kubernetes.io/name: {{ include "cloud-optimised.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end -}}

{{/* Labels of every object. */}}
{{- define "cloud-optimised.labels" -}}
{{- $own := include "cloud-optimised.selectorLabels" . | fromYaml -}}
{{- $own = merge $own (dict
      "app.kubernetes.io/managed-by" .Release.Service
      "app.kubernetes.io/part-of" "cloud-optimised"
      "app.kubernetes.io/version" .Chart.AppVersion
      "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-")) -}}
{{- merge $own .Values.commonLabels | toYaml -}}
{{- end -}}

{{/* The ServiceAccount the operator runs under. */}}
{{- define "cloud-optimised.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "cloud-optimised.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* An image reference. Takes a list: the root context and an image of the values. The tag defaults to the version of
     the application, unless a digest says it all. */}}
{{- define "cloud-optimised.image" -}}
{{- $root := index . 0 -}}
{{- $image := index . 1 -}}
{{- $tag := $image.tag -}}
{{- if not (or $tag $image.digest) -}}
{{- $tag = $root.Chart.AppVersion -}}
{{- end -}}
{{- $image.repository -}}{{- with $tag }}:{{ . }}{{ end -}}{{- with $image.digest }}@{{ . }}{{ end -}}
{{- end -}}

{{/* A quantity as a flag takes it: a bare number of bytes is a float by now, and would be printed as 4.29e+09. */}}
{{- define "cloud-optimised.quantity" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) -}}
{{- int64 . -}}
{{- else -}}
{{- . -}}
{{- end -}}
{{- end -}}
