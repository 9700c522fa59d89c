{{/* The table of src/kube/rights.ts: of a ClusterRole, or of a Role in each of watchNamespaces. */}}
{{- define "holdfast.operatorRules" -}}
# What people ask for.
- apiGroups: [holdfast.dev]
  resources: [backupstores, backupkeys, backupschedules, backups, restores]
  verbs: [get, list, watch]
# What we answer.
- apiGroups: [holdfast.dev]
  resources: [backupstores/status, backupkeys/status, backupschedules/status, backups/status, restores/status]
  verbs: [patch]
# A schedule makes its Backups, and removes those that retention lets go.
- apiGroups: [holdfast.dev]
  resources: [backups]
  verbs: [create, delete]
# The finalizer of a Restore that is not over; a schedule makes its drills, and removes old ones.
- apiGroups: [holdfast.dev]
  resources: [restores]
  verbs: [patch, create, delete]
# Everything that touches a database or a store runs in one.
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, delete]
# The runner's answer is its termination message; an app is quiet when its pods are gone.
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
{{ include "holdfast.leaseRules" . }}
# They tell people what happened.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
# To zero for a restore, and back; it names the selector of the pods that must be gone.
- apiGroups: [apps]
  resources: [deployments/scale, statefulsets/scale]
  verbs: [get, update]
# Who else writes the count is in the managed fields, which a scale does not have.
- apiGroups: [apps]
  resources: [deployments, statefulsets]
  verbs: [get]
{{- $restore := .Values.AsMap.restore | default dict }}
{{- range $restore.scalableKinds }}
# The same for a kind of restore.scalableKinds.
- apiGroups: [{{ .group | quote }}]
  resources: [{{ printf "%s/scale" .resource | quote }}]
  verbs: [get, update]
- apiGroups: [{{ .group | quote }}]
  resources: [{{ .resource | quote }}]
  verbs: [get]
{{- end }}
{{- if $restore.suspendCronJobs }}
# Suspended for a restore, and resumed: restore.suspendCronJobs.
- apiGroups: [batch]
  resources: [cronjobs]
  verbs: [get, patch]
{{- end }}
{{- end -}}

{{/* What restores may take to zero, for whoever reads or changes it: the operator, and the hook before an uninstall. */}}
{{- define "holdfast.scalableEnv" -}}
{{- $restore := .Values.AsMap.restore | default dict -}}
{{- with $restore.scalableKinds }}
- name: HOLDFAST_SCALABLE_KINDS
  value: {{ toJson . | quote }}
{{- end }}
{{- if $restore.suspendCronJobs }}
- name: HOLDFAST_SUSPEND_CRON_JOBS
  value: "true"
{{- end }}
{{- end -}}

{{- define "holdfast.leaseRules" -}}
# Leader election; one operation per database; a workload's replica count while it is at zero.
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [get, list, watch, create, update, delete]
{{- end -}}

{{/* Whether the chart may make anything that is in no namespace. */}}
{{- define "holdfast.clusterObjects" -}}
{{- /* `helm upgrade --reuse-values` from a chart that did not know the value has none. */ -}}
{{- $wanted := dig "clusterObjects" true .Values.AsMap -}}
{{- if and (not $wanted) (not .Values.watchNamespaces) -}}
{{- fail "\n\nclusterObjects: false needs watchNamespaces: an operator of all namespaces has its rights from a ClusterRole. Name the namespaces that it shall look after.\n\n  --set 'watchNamespaces={shop,billing}'\n" -}}
{{- end -}}
{{- if $wanted }}true{{ end -}}
{{- end -}}
