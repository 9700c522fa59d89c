{{/* Name of everything in the chart: the release's own where it says holdfast already. */}}
{{- define "holdfast.name" -}}
{{- if contains "holdfast" .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-holdfast" .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "holdfast.selector" -}}
app.kubernetes.io/name: holdfast
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "holdfast.labels" -}}
{{ include "holdfast.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "holdfast.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}

{{/* Who the operator is to the API server. */}}
{{- define "holdfast.account" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "holdfast.name" . }}
{{- end -}}

{{/* The one value that only a person can give. */}}
{{- define "holdfast.clusterName" -}}
{{- if not .Values.clusterName -}}
{{- fail (printf "\n\nclusterName is missing: the name of this cluster, a part of every archive's path. A cluster that is built anew says the same name and finds its archives; two clusters on one bucket need two names. There is no default.\n\n  helm upgrade --install %s <chart> --namespace %s --set clusterName=<name>\n" .Release.Name .Release.Namespace) -}}
{{- end -}}
{{- .Values.clusterName -}}
{{- end -}}
