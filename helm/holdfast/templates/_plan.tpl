{{/*
What the values come to, as JSON: {"schedule": false} for the operator alone, else also namespace and name of store, key and schedule, and the
specs of them and of the Restore that is kept ready. Refuses values that are not enough.
*/}}
{{- define "holdfast.plan" -}}
{{- $_ := include "holdfast.refuse" . -}}
{{- if include "holdfast.asked" . | fromJsonArray -}}
{{- dict
  "schedule" true
  "name" (include "holdfast.backupName" .)
  "namespace" (include "holdfast.backupNamespace" .)
  "store" (include "holdfast.storeSpec" . | fromJson)
  "key" (include "holdfast.keySpec" . | fromJson)
  "spec" (include "holdfast.scheduleSpec" . | fromJson)
  "restore" (include "holdfast.restoreSpec" . | fromJson)
  | toJson -}}
{{- else -}}
{{- dict "schedule" false | toJson -}}
{{- end -}}
{{- end -}}

{{- define "holdfast.backupName" -}}
{{- (.Values.backup).name | default (include "holdfast.name" .) -}}
{{- end -}}

{{- define "holdfast.backupNamespace" -}}
{{- (.Values.backup).namespace | default .Release.Namespace -}}
{{- end -}}

{{/* Spec of the BackupStore. What s3 has beyond the values that are named here are fields of the kind. */}}
{{- define "holdfast.storeSpec" -}}
{{- $given := include "holdfast.given" . | fromJson -}}
{{- $s3 := .Values.AsMap.s3 -}}
{{- $keys := list "accessKeyIdKey" "secretAccessKeyKey" "sessionTokenKey" -}}
{{- $bucket := omit $s3 "credentialsSecretName" "accessKeyIdKey" "secretAccessKeyKey" "sessionTokenKey" "serviceAccountName" "prefix" -}}
{{- $_ := set $bucket "endpoint" $given.endpoint -}}
{{- $_ := set $bucket "bucket" $given.bucket -}}
{{- $_ := set $bucket "region" ($s3.region | default (include "holdfast.regionOf" $given.endpoint)) -}}
{{- with $given.prefix -}}{{- $_ := set $bucket "prefix" . -}}{{- end -}}
{{- with $given.secret -}}
  {{- $login := dict "name" . -}}
  {{- range $key := $keys -}}{{- with get $s3 $key -}}{{- $_ := set $login $key . -}}{{- end -}}{{- end -}}
  {{- $_ := set $bucket "credentials" (dict "secretRef" $login) -}}
{{- end -}}
{{- $store := dict "s3" $bucket -}}
{{- with $s3.serviceAccountName -}}{{- $_ := set $store "serviceAccountName" . -}}{{- end -}}
{{- toJson $store -}}
{{- end -}}

{{/* The region that an endpoint of AWS or IBM names; most other servers take any. */}}
{{- define "holdfast.regionOf" -}}
{{- $host := regexReplaceAll "^https?://|[:/].*$" . "" -}}
{{- $pattern := "^s3(-fips)?[.-](dualstack[.]|private[.]|direct[.])?([a-z]+(-[a-z]+)*(-[0-9]+)?)[.](amazonaws[.]com|cloud-object-storage[.]appdomain[.]cloud)" -}}
{{- if regexMatch $pattern $host -}}{{- regexReplaceAll (printf "%s.*$" $pattern) $host "${3}" -}}{{- else -}}us-east-1{{- end -}}
{{- end -}}

{{/* Spec of the BackupKey. */}}
{{- define "holdfast.keySpec" -}}
{{- $keys := .Values.AsMap.keys -}}
{{- $spec := dict "recipients" $keys.recipients "default" ($keys.default | default false) -}}
{{- with $keys.identitySecretName -}}
  {{- $_ := set $spec "identity" (dict "secretRef" (dict "name" . "key" ($keys.identityKey | default "identity"))) -}}
{{- end -}}
{{- toJson $spec -}}
{{- end -}}

{{/* spec.source.postgresql of the Backups. What database has beyond the values that are named here are fields of it. */}}
{{- define "holdfast.postgresql" -}}
{{- $database := .Values.AsMap.database -}}
{{- $login := dict "name" $database.credentialsSecretName -}}
{{- range $key := list "usernameKey" "passwordKey" "uriKey" -}}
  {{- with get $database $key -}}{{- $_ := set $login $key . -}}{{- end -}}
{{- end -}}
{{- $source := omit $database "name" "credentialsSecretName" "usernameKey" "passwordKey" "uriKey" -}}
{{- with $database.name -}}{{- $_ := set $source "database" . -}}{{- end -}}
{{- toJson (set $source "credentials" (dict "secretRef" $login)) -}}
{{- end -}}

{{/* Spec of the BackupSchedule. What backup has beyond the values of the chart are its fields, or those of its template's spec. */}}
{{- define "holdfast.scheduleSpec" -}}
{{- $own := list "timeZone" "suspend" "concurrencyPolicy" "startingDeadlineSeconds" "runOnCreate" "trigger" "retention" "drill" "failedBackupsHistoryLimit" -}}
{{- $reference := dict "name" (include "holdfast.backupName" .) -}}
{{- $source := dict "postgresql" (include "holdfast.postgresql" . | fromJson) -}}
{{- $backup := dict "source" $source "storeRef" $reference "keyRef" $reference -}}
{{- $spec := dict "schedule" ((include "holdfast.given" . | fromJson).schedule | default "H 0 * * *") -}}
{{- range $field, $value := omit (.Values.AsMap.backup | default dict) "namespace" "name" "schedule" "cronSchedule" "s3Prefix" -}}
  {{- /* Empty texts and objects mean "not given"; false and 0 mean what they say. */ -}}
  {{- if or $value (kindIs "bool" $value) (kindIs "int64" $value) (kindIs "float64" $value) -}}
    {{- $_ := set (ternary $spec $backup (has $field $own)) $field $value -}}
  {{- end -}}
{{- end -}}
{{- toJson (set $spec "template" (dict "spec" $backup)) -}}
{{- end -}}

{{/* Where a part of a database is restored to, since it replaces no whole one; empty for a whole one. */}}
{{- define "holdfast.besideDatabase" -}}
{{- $database := .Values.AsMap.database | default dict -}}
{{- if or $database.include $database.exclude -}}{{- printf "%s_restored" ($database.name | default "part" | trunc 54) -}}{{- end -}}
{{- end -}}

{{/* Spec of the Restore that is kept ready. BACKUP is no valid name, so one that is forgotten there is refused. */}}
{{- define "holdfast.restoreSpec" -}}
{{- $restore := .Values.AsMap.restore | default dict -}}
{{- $spec := dict "from" (dict "backupRef" (dict "name" "BACKUP")) -}}
{{- $beside := include "holdfast.besideDatabase" . -}}
{{- if $beside -}}
  {{- $_ := set $spec "target" (dict "postgresql" (dict "database" $beside)) -}}
{{- else -}}
  {{- $_ := set $spec "onConflict" "Replace" -}}
  {{- with $restore.keepPrevious -}}{{- $_ := set $spec "keepPrevious" . -}}{{- end -}}
{{- end -}}
{{- if and $restore.scaleDown (not $beside) -}}
  {{- $workloads := list -}}
  {{- range $restore.scaleDown -}}
    {{- $kinds := dict "deployment" (dict "kind" "Deployment") "statefulset" (dict "kind" "StatefulSet") "cronjob" (dict "apiVersion" "batch/v1" "kind" "CronJob") -}}
    {{- $kind := get $kinds (splitList "/" . | first) -}}
    {{- $workloads = append $workloads (merge (dict "name" (splitList "/" . | last)) $kind) -}}
  {{- end -}}
  {{- $scaleDown := dict "workloads" $workloads -}}
  {{- with $restore.timeout -}}{{- $_ := set $scaleDown "timeout" . -}}{{- end -}}
  {{- $_ := set $spec "scaleDown" $scaleDown -}}
{{- end -}}
{{- if not .Values.keys.identitySecretName -}}
  {{- $secret := $restore.identitySecretName | default (printf "%s-identity" (include "holdfast.backupName" .)) -}}
  {{- $_ := set $spec "identity" (dict "secretRef" (dict "name" $secret "key" ($restore.identityKey | default "identity"))) -}}
{{- end -}}
{{- toJson $spec -}}
{{- end -}}
