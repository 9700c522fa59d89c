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
# The finalizer of a Restore that is not over.
- apiGroups: [holdfast.dev]
  resources: [restores]
  verbs: [patch]
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
