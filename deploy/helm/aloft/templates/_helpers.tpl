{{- define "aloft.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "aloft.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "aloft.labels" -}}
{{ include "aloft.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
{{- end -}}

{{/* Mean seconds from submission to the first step, over all replicas and the last minute; 0 where nothing was submitted. */}}
{{- define "aloft.queueQuery" -}}
{{- $pods := printf "namespace=%q,pod=~\"%s-.*\"" .Release.Namespace (include "aloft.name" .) -}}
{{- printf "(sum(rate(aloft_queue_seconds_sum{%s}[1m])) / sum(rate(aloft_queue_seconds_count{%s}[1m])) > 0) or vector(0)" $pods $pods -}}
{{- end -}}
