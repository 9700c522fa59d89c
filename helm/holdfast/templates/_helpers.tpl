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
{{ include "holdfast.commonLabels" . }}
{{- end -}}

{{/* Of what is no part of the operator, and which its Service and its budget must not take for one. */}}
{{- define "holdfast.otherLabels" -}}
app.kubernetes.io/part-of: holdfast
app.kubernetes.io/instance: {{ .Release.Name }}
{{ include "holdfast.commonLabels" . }}
{{- end -}}

{{- define "holdfast.commonLabels" -}}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "holdfast.image" -}}
{{ .Values.image.repository }}{{ with .Values.image.digest }}@{{ . }}{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end -}}

{{/* Who the operator is to the API server. */}}
{{- define "holdfast.account" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "holdfast.name" . }}
{{- end -}}

{{/* The one value that only a person can give. */}}
{{- define "holdfast.clusterName" -}}
{{- $_ := include "holdfast.refuse" . -}}
{{- .Values.clusterName -}}
{{- end -}}

{{/* Rule of a NetworkPolicy: 5353 and 1053 are where some clusters' name service listens behind its Service. */}}
{{- define "holdfast.nameService" -}}
- ports:
    {{- range $port := list 53 5353 1053 }}
    - port: {{ $port }}
      protocol: UDP
    - port: {{ $port }}
      protocol: TCP
    {{- end }}
{{- end -}}

{{/* Where pods of the release's namespace run, and what they pull their image with. */}}
{{- define "holdfast.placement" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
