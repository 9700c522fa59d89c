{{/* Names of our CustomResourceDefinitions, from the files of the chart: the only ones that a hook may touch. */}}
{{- define "holdfast.crdNames" -}}
{{- $names := list -}}
{{- range $path, $_ := .Files.Glob "crds/*.yaml" -}}
{{- $names = append $names (regexReplaceAll "^(.*)_(.*)[.]yaml$" (base $path) "${2}.${1}") -}}
{{- end -}}
{{- toJson $names -}}
{{- end -}}

{{/* Metadata of everything that lives as long as one hook. Called with the name's ending, the hook's events, its weight and the chart. */}}
{{- define "holdfast.hookMeta" -}}
labels:
  {{- include "holdfast.otherLabels" .chart | nindent 2 }}
  app.kubernetes.io/component: {{ .part }}
annotations:
  helm.sh/hook: {{ .events }}
  helm.sh/hook-weight: {{ .weight | quote }}
  # What failed stays until the next try, for its log.
  helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end -}}

{{/* The Job of a hook: one pod of the operator's image, with the account of the hook. */}}
{{- define "holdfast.hookJob" -}}
{{- $chart := .chart -}}
{{- $name := printf "%s-%s" (include "holdfast.name" $chart) .part -}}
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ $name }}
  namespace: {{ $chart.Release.Namespace }}
  {{- include "holdfast.hookMeta" . | nindent 2 }}
    # Helm 3.18 and later show the log of one that failed.
    helm.sh/hook-output-log-policy: hook-failed
spec:
  # Another pod for one that the cluster took away. What the hook itself decided, it would decide again.
  backoffLimit: 2
  podReplacementPolicy: Failed
  podFailurePolicy:
    rules:
      - action: FailJob
        onExitCodes:
          containerName: hook
          operator: In
          values: [3]
  # Helm waits for five minutes unless told otherwise, and its own words are "timed out" then.
  activeDeadlineSeconds: 290
  template:
    metadata:
      labels:
        {{- include "holdfast.otherLabels" $chart | nindent 8 }}
        app.kubernetes.io/component: {{ .part }}
    spec:
      restartPolicy: Never
      serviceAccountName: {{ $name }}
      {{- include "holdfast.placement" $chart | nindent 6 }}
      securityContext:
        runAsNonRoot: true
        seccompProfile:
          type: RuntimeDefault
      containers:
        - name: hook
          image: {{ include "holdfast.image" $chart | quote }}
          imagePullPolicy: {{ $chart.Values.image.pullPolicy }}
          command: ["node", "/holdfast/dist/main/hook.mjs", {{ .part | quote }}]
          env:
            - name: HOLDFAST_NAMESPACE
              valueFrom:
                fieldRef:
                  fieldPath: metadata.namespace
            {{- with $chart.Values.watchNamespaces }}
            - name: HOLDFAST_WATCH_NAMESPACES
              value: {{ join "," . | quote }}
            {{- end }}
            {{- with include "holdfast.scalableEnv" $chart | trim }}
            {{- . | nindent 12 }}
            {{- end }}
          # A hook that failed for want of memory says nothing about why.
          resources:
            requests:
              cpu: 20m
              memory: 96Mi
            limits:
              memory: 256Mi
          terminationMessagePolicy: FallbackToLogsOnError
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities:
              drop: ["ALL"]
{{- end -}}

{{/* What `settle` may do where there are Restores. No Job, no scale, no Lease is written: what it cannot leave to the operator, it tells. */}}
{{- define "holdfast.settleRules" -}}
# A Restore that is not over is deleted; one that no operator ends any more loses our finalizer, where no app is at zero for it.
- apiGroups: [holdfast.dev]
  resources: [restores]
  verbs: [list, delete, patch]
# Whether an app is at zero for a Restore, and whether its runner is at work.
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [list]
- apiGroups: [apps]
  resources: [deployments/scale, statefulsets/scale]
  verbs: [get]
{{- $restore := .Values.AsMap.restore | default dict }}
{{- range $restore.scalableKinds }}
- apiGroups: [{{ .group | quote }}]
  resources: [{{ printf "%s/scale" .resource | quote }}]
  verbs: [get]
{{- end }}
{{- if $restore.suspendCronJobs }}
- apiGroups: [batch]
  resources: [cronjobs]
  verbs: [get]
{{- end }}
- apiGroups: [batch]
  resources: [jobs]
  verbs: [list]
{{- end -}}
