{{/* What a schedule cannot do without, as JSON: a list of name and meaning of each value that is missing. */}}
{{- define "holdfast.missing" -}}
{{- $given := include "holdfast.given" . | fromJson -}}
{{- $database := .Values.database | default dict -}}
{{- $missing := list -}}
{{- if not (.Values.keys).recipients -}}
  {{- $missing = append $missing (list "keys.recipients" (include "holdfast.howToMakeAKey" .)) -}}
{{- end -}}
{{- if not $given.endpoint -}}
  {{- $missing = append $missing (list "s3.endpoint" "host or URL of the S3 server (also: global.s3.endpoint)") -}}
{{- end -}}
{{- if not $given.bucket -}}
  {{- $missing = append $missing (list "s3.bucket" "bucket that the archives go to; it must exist (also: global.s3.bucket)") -}}
{{- end -}}
{{- if not (or $given.secret (.Values.s3).serviceAccountName) -}}
  {{- $missing = append $missing (list "s3.credentialsSecretName" "Secret with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (also: global.s3.hmacSecretName); or, where a cloud gives Pods an identity, s3.serviceAccountName") -}}
{{- end -}}
{{- if not $database.host -}}
  {{- $missing = append $missing (list "database.host" "host of the PostgreSQL server") -}}
{{- end -}}
{{- if not (or $database.name (eq ($database.scope | default "") "Instance")) -}}
  {{- $missing = append $missing (list "database.name" "the database to back up; or database.scope=Instance, for all of the server") -}}
{{- end -}}
{{- if not $database.credentialsSecretName -}}
  {{- $missing = append $missing (list "database.credentialsSecretName" "Secret with username and password of a role that may read that database") -}}
{{- end -}}
{{- toJson $missing -}}
{{- end -}}

{{- define "holdfast.howToMakeAKey" -}}
{{- $name := include "holdfast.name" . -}}
the public keys that archives are encrypted to. This makes a pair, and shows the public key, age1…:

      kubectl holdfast key create {{ $name }} --dry-run

    (or: age-keygen -o {{ $name }}.key). The private key stays with you, in {{ $name }}.key: whoever loses it has no archive.
{{ end -}}

{{/* What is at odds, as a JSON list of sentences. */}}
{{- define "holdfast.problems" -}}
{{- $problems := (include "holdfast.given" . | fromJson).conflicts -}}
{{- $namespace := include "holdfast.backupNamespace" . -}}
{{- with .Values.watchNamespaces -}}
  {{- if not (has $namespace .) -}}
    {{- $problems = append $problems (printf "The schedule would be in the namespace %q (backup.namespace), which is not among watchNamespaces: nobody would look at it. Add it there." $namespace) -}}
  {{- end -}}
{{- end -}}
{{- range (.Values.restore).scaleDown -}}
  {{- if and (hasPrefix "cronjob/" .) (not ($.Values.restore).suspendCronJobs) -}}
    {{- $problems = append $problems (printf "restore.scaleDown names %s, which every restore would be refused for: restore.suspendCronJobs=true gives the operator the right to suspend it." .) -}}
  {{- end -}}
{{- end -}}
{{- toJson $problems -}}
{{- end -}}

{{/* Stops the install where something is missing or at odds, with all of it in one text: nobody wants to hear of one value per try. */}}
{{- define "holdfast.refuse" -}}
{{- $asked := include "holdfast.asked" . | fromJsonArray -}}
{{- $problems := list -}}
{{- $missing := list -}}
{{- if not .Values.clusterName -}}
  {{- $missing = append $missing (list "clusterName" "the name of this cluster, a part of every archive's path. A cluster that is built anew says the same name and finds its archives; two clusters on one bucket need two names. There is no default.") -}}
{{- end -}}
{{- if $asked -}}
  {{- $problems = include "holdfast.problems" . | fromJsonArray -}}
  {{- $missing = concat $missing (include "holdfast.missing" . | fromJsonArray) -}}
{{- end -}}
{{- $text := list -}}
{{- range $problems -}}{{- $text = append $text (printf "%s\n" .) -}}{{- end -}}
{{- range $missing -}}{{- $text = append $text (printf "%s is missing: %s" (first .) (last .)) -}}{{- end -}}
{{- if $missing -}}
  {{- $set := list -}}
  {{- range $missing -}}{{- $set = append $set (include "holdfast.setArgument" (first .)) -}}{{- end -}}
  {{- if $asked -}}
    {{- $text = append $text (printf "\nThese values ask for a schedule: %s. Without any of them this chart installs the operator alone." (join ", " $asked)) -}}
    {{- $text = append $text (printf "\n  Add: %s\n" (join " " $set)) -}}
  {{- else -}}
    {{- $text = append $text (printf "\n  helm upgrade --install %s <chart> --namespace %s %s\n" .Release.Name .Release.Namespace (join " " $set)) -}}
  {{- end -}}
{{- end -}}
{{- if $text -}}{{- fail (printf "\n\n%s" (join "\n" $text)) -}}{{- end -}}
{{- end -}}

{{/* What to type for a value that is missing, by its name. */}}
{{- define "holdfast.setArgument" -}}
{{- if eq . "keys.recipients" -}}--set 'keys.recipients={age1…}'
{{- else if eq . "clusterName" -}}--set clusterName=<name>
{{- else -}}--set {{ . }}=<…>
{{- end -}}
{{- end -}}
