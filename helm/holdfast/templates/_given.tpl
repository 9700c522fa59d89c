{{/* The values that have several names, because charts of key managers have their own for them: ours first. */}}
{{- define "holdfast.names" -}}
endpoint: [s3.endpoint, global.s3.endpoint, global.S3.Endpoint]
bucket: [s3.bucket, global.s3.bucket, global.S3.Bucket]
secret: [s3.credentialsSecretName, global.s3.hmacSecretName, global.S3.HmacSecretName]
prefix: [s3.prefix, backup.s3Prefix, Backup.S3Prefix]
schedule: [backup.schedule, backup.cronSchedule, Backup.CronSchedule]
{{- end -}}

{{/* The value of each of them, as JSON, where one was given; and under "conflicts" a sentence for each that was given twice, differently. */}}
{{- define "holdfast.given" -}}
{{- $given := dict -}}
{{- $conflicts := list -}}
{{- range $key, $names := include "holdfast.names" . | fromYaml -}}
  {{- $first := "" -}}
  {{- range $name := $names -}}
    {{- $value := $.Values.AsMap -}}
    {{- range $step := splitList "." $name -}}{{- $value = get ($value | default dict) $step -}}{{- end -}}
    {{- if and $value (not $first) -}}
      {{- $first = $name -}}
      {{- $_ := set $given $key $value -}}
    {{- else if and $value (ne $value (get $given $key)) -}}
      {{- $conflicts = append $conflicts (printf "%s and %s are two names of one value, and differ: %q and %q. Give one of them." $first $name (get $given $key) $value) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- toJson (set $given "conflicts" $conflicts) -}}
{{- end -}}

{{/*
Names of the values that ask for a schedule, as a JSON list; none: the operator alone. Values of `global` are meant for every chart, so they
fill in and ask for nothing.
*/}}
{{- define "holdfast.asked" -}}
{{- $values := .Values.AsMap -}}
{{- $defaults := dict "database.port" "5432" "database.maintenanceDatabase" "postgres" -}}
{{- $groups := dict
  "s3" $values.s3
  "database" $values.database
  "keys" (pick ($values.keys | default dict) "recipients")
  "backup" (omit ($values.backup | default dict) "namespace" "name" "timeZone")
  "Backup" $values.Backup
  "restore" (pick ($values.restore | default dict) "scaleDown")
-}}
{{- $asked := list -}}
{{- range $group, $fields := $groups -}}
  {{- range $field, $value := $fields -}}
    {{- $name := printf "%s.%s" $group $field -}}
    {{- if and $value (ne (toString $value) (get $defaults $name)) -}}{{- $asked = append $asked $name -}}{{- end -}}
  {{- end -}}
{{- end -}}
{{- toJson (sortAlpha $asked) -}}
{{- end -}}
