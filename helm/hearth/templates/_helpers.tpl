{{/* Names */}}
{{- define "hearth.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* At most 40 characters: what is added must fit into 63, with the ordinal of a pod. */}}
{{- define "hearth.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "hearth.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "hearth.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "hearth.clusterName" -}}
{{- default (printf "%s-%s" .Release.Namespace (include "hearth.fullname" .)) .Values.cluster.name -}}
{{- end -}}

{{- define "hearth.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "hearth.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* Labels. Those of a component take (list . "component"). */}}
{{- define "hearth.selector" -}}
app.kubernetes.io/name: {{ include "hearth.name" (index . 0) }}
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* Those of a pod say nothing of chart or version: a new chart alone restarts nobody. */}}
{{- define "hearth.podLabels" -}}
{{ include "hearth.selector" . }}
app.kubernetes.io/part-of: hearth
{{- with (index . 0).Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "hearth.labels" -}}
{{ include "hearth.podLabels" . }}
{{- with index . 0 }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}
{{- end -}}

{{/* The metadata of an object: (list . "component" "suffix of the name"). */}}
{{- define "hearth.metadata" -}}
name: {{ include "hearth.fullname" (index . 0) }}{{ with index . 2 }}-{{ . }}{{ end }}
namespace: {{ (index . 0).Release.Namespace }}
labels:
  {{- include "hearth.labels" . | nindent 2 }}
{{- with (index . 0).Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Image of Hearth: (list . "tag or nothing" "digest or nothing") override that of .Values.image. */}}
{{- define "hearth.image" -}}
{{- $image := (index . 0).Values.image -}}
{{- $tag := index . 1 | default $image.tag | default (index . 0).Chart.AppVersion -}}
{{- with $image.registry }}{{ . }}/{{ end -}}
{{ $image.repository }}:{{ $tag }}
{{- with index . 2 }}@{{ . }}{{ end -}}
{{- end -}}

{{- define "hearth.siloImage" -}}
{{- if eq .Values.silo.device "cuda" -}}
{{- $tag := .Values.silo.gpu.imageTag | default (printf "%s-cuda" (.Values.image.tag | default .Chart.AppVersion)) -}}
{{- include "hearth.image" (list . $tag .Values.silo.gpu.imageDigest) -}}
{{- else -}}
{{- include "hearth.image" (list . "" .Values.image.digest) -}}
{{- end -}}
{{- end -}}

{{- define "hearth.redisImage" -}}
{{- with .Values.redis.image -}}
{{ .repository }}:{{ .tag }}{{ with .digest }}@{{ . }}{{ end }}
{{- end -}}
{{- end -}}

{{/* Time: everything that has to do with an end follows from silo.drainSeconds. */}}
{{- define "hearth.shutdownSeconds" -}}
{{- add .Values.silo.drainSeconds 10 -}}
{{- end -}}

{{- define "hearth.siloGraceSeconds" -}}
{{- add (include "hearth.shutdownSeconds" .) 10 -}}
{{- end -}}

{{- define "hearth.gatewayGraceSeconds" -}}
{{- add .Values.gateway.preStopSeconds (include "hearth.shutdownSeconds" .) 10 -}}
{{- end -}}

{{/* A pause before the signal needs no shell from Kubernetes 1.30 on; before, the gateway makes it itself after the signal. */}}
{{- define "hearth.hasSleep" -}}
{{- if semverCompare ">=1.30.0-0" .Capabilities.KubeVersion.Version }}true{{ end -}}
{{- end -}}

{{- define "hearth.leaveSeconds" -}}
{{- if include "hearth.hasSleep" . }}1{{ else }}{{ max 1 (int .Values.gateway.preStopSeconds) }}{{ end -}}
{{- end -}}

{{/* Secrets: the name of the one that holds an item, or nothing where it is not used. */}}
{{- define "hearth.generatedSecret" -}}
{{ include "hearth.fullname" . }}-secrets
{{- end -}}

{{- define "hearth.secretOf" -}}
{{- $root := index . 0 -}}
{{- $given := index . 1 -}}
{{- if $given -}}
{{- $given -}}
{{- else if $root.Values.secrets.generate -}}
{{- include "hearth.generatedSecret" $root -}}
{{- else -}}
{{- fail (printf "%s: name a Secret, since secrets.generate is false%s" (index . 2) (index . 3)) -}}
{{- end -}}
{{- end -}}

{{- define "hearth.apiKeysSecret" -}}
{{- if not .Values.auth.allowAnonymous -}}
{{- include "hearth.secretOf" (list . .Values.auth.existingSecret "auth.existingSecret" " (or set auth.allowAnonymous to serve everybody)") -}}
{{- end -}}
{{- end -}}

{{- define "hearth.peerSecret" -}}
{{- if .Values.peers.secret -}}
{{- include "hearth.secretOf" (list . .Values.peers.existingSecret "peers.existingSecret" " (or set peers.secret to false)") -}}
{{- end -}}
{{- end -}}

{{- define "hearth.spillSecret" -}}
{{- if .Values.spill.encrypt -}}
{{- include "hearth.secretOf" (list . .Values.spill.existingSecret "spill.existingSecret" " (or set spill.encrypt to false)") -}}
{{- end -}}
{{- end -}}

{{- define "hearth.redisSecret" -}}
{{- if .Values.redis.enabled -}}
{{- if .Values.redis.auth.enabled -}}
{{- include "hearth.secretOf" (list . .Values.redis.auth.existingSecret "redis.auth.existingSecret" " (or set redis.auth.enabled to false)") -}}
{{- end -}}
{{- else -}}
{{- .Values.redis.external.existingSecret -}}
{{- end -}}
{{- end -}}

{{- define "hearth.redisSecretKey" -}}
{{- if .Values.redis.enabled }}{{ .Values.redis.auth.key }}{{ else }}{{ .Values.redis.external.key }}{{ end -}}
{{- end -}}

{{- define "hearth.makesSecrets" -}}
{{- if .Values.secrets.generate -}}
{{- $name := include "hearth.generatedSecret" . -}}
{{- $names := list (include "hearth.apiKeysSecret" .) (include "hearth.peerSecret" .) (include "hearth.spillSecret" .) (include "hearth.redisSecret" .) -}}
{{- if has $name $names }}true{{ end -}}
{{- end -}}
{{- end -}}

{{/* Redis as StackExchange.Redis reads it; the password comes from the container's environment. */}}
{{- define "hearth.redisOptions" -}}
{{- $external := .Values.redis.external -}}
{{- if include "hearth.redisSecret" . }},password=$(REDIS_PASSWORD){{ end -}}
{{- if not .Values.redis.enabled -}}
{{- with $external.user }},user={{ . }}{{ end -}}
{{- if $external.tls }},ssl=true{{ end -}}
{{- if include "hearth.redisCa" . }},sslCa=/run/hearth/redis/ca.crt{{ end -}}
{{- if include "hearth.redisCert" . }},sslCert=/run/hearth/redis/tls.crt,sslKey=/run/hearth/redis/tls.key{{ end -}}
{{- end -}}
{{- end -}}

{{- define "hearth.redisAddress" -}}
{{- if .Values.redis.enabled -}}
{{ include "hearth.fullname" . }}-redis:6379
{{- else -}}
{{- if not .Values.redis.external.addresses -}}
{{- fail "redis.external.addresses: name the servers (host:port), since redis.enabled is false" -}}
{{- end -}}
{{- join "," .Values.redis.external.addresses -}}
{{- end -}}
{{- end -}}

{{- define "hearth.spillAddress" -}}
{{- if .Values.spillRedis.externalAddresses -}}
{{- if .Values.spillRedis.enabled -}}
{{- fail "spillRedis: set either enabled or externalAddresses" -}}
{{- end -}}
{{- join "," .Values.spillRedis.externalAddresses -}}
{{- else if .Values.spillRedis.enabled -}}
{{ include "hearth.fullname" . }}-redis-spill:6379
{{- end -}}
{{- end -}}

{{- define "hearth.podIp" -}}
{{- if eq .Values.ipFamily "IPv6" }}[$(POD_IP)]{{ else }}$(POD_IP){{ end -}}
{{- end -}}

{{/* Environment, volumes and flags that gateways and silos have in common. */}}
{{- define "hearth.env" -}}
- name: POD_IP
  valueFrom: {fieldRef: {fieldPath: status.podIP}}
{{- $secret := include "hearth.redisSecret" . }}
{{- if $secret }}
- name: REDIS_PASSWORD
  valueFrom:
    secretKeyRef: {name: {{ $secret }}, key: {{ include "hearth.redisSecretKey" . }}}
{{- end }}
- name: HEARTH_REDIS
  value: {{ printf "%s%s" (include "hearth.redisAddress" .) (include "hearth.redisOptions" .) | quote }}
{{- with include "hearth.spillAddress" . }}
- name: HEARTH_REDIS_SPILL
  value: {{ printf "%s%s" . (include "hearth.redisOptions" $) | quote }}
{{- end }}
- name: DOTNET_EnableDiagnostics
  value: "0"
{{- end -}}

{{- define "hearth.redisCa" -}}
{{- if and (not .Values.redis.enabled) .Values.redis.external.tls }}{{ .Values.redis.external.caSecret }}{{ end -}}
{{- end -}}

{{- define "hearth.redisCert" -}}
{{- if and (not .Values.redis.enabled) .Values.redis.external.tls }}{{ .Values.redis.external.clientSecret }}{{ end -}}
{{- end -}}

{{- define "hearth.args" -}}
- --cluster={{ include "hearth.clusterName" . }}
- --lease={{ .Values.cluster.lease }}
- --spill-age={{ .Values.spill.age }}
- --retention={{ .Values.cluster.retention }}
- --log-level={{ .Values.logLevel }}
- --log-format={{ .Values.logFormat }}
{{- with .Values.telemetry.otlp }}
- --otlp={{ . }}
{{- end }}
{{- if include "hearth.peerSecret" . }}
- --cluster-key-file=/run/hearth/secrets/{{ .Values.peers.key }}
{{- end }}
{{- end -}}

{{/* (list . "component"): the files of secrets that it needs, in one folder. */}}
{{- define "hearth.secretSources" -}}
{{- $root := index . 0 -}}
{{- with include "hearth.peerSecret" $root }}
- secret: {name: {{ . }}, items: [{key: {{ $root.Values.peers.key }}, path: {{ $root.Values.peers.key }}}]}
{{- end }}
{{- if eq (index . 1) "gateway" }}
{{- with include "hearth.apiKeysSecret" $root }}
- secret: {name: {{ . }}, items: [{key: {{ $root.Values.auth.key }}, path: {{ $root.Values.auth.key }}}]}
{{- end }}
{{- else }}
{{- with include "hearth.spillSecret" $root }}
- secret: {name: {{ . }}, items: [{key: {{ $root.Values.spill.key }}, path: {{ $root.Values.spill.key }}}]}
{{- end }}
{{- end }}
{{- end -}}

{{- define "hearth.volumeMounts" -}}
- {name: tmp, mountPath: /tmp}
{{- if trim (include "hearth.secretSources" .) }}
- {name: secrets, mountPath: /run/hearth/secrets, readOnly: true}
{{- end }}
{{- if or (include "hearth.redisCa" (index . 0)) (include "hearth.redisCert" (index . 0)) }}
- {name: redis, mountPath: /run/hearth/redis, readOnly: true}
{{- end }}
{{- end -}}

{{- define "hearth.volumes" -}}
- name: tmp
  emptyDir: {sizeLimit: 1Gi}
{{- with trim (include "hearth.secretSources" .) }}
- name: secrets
  projected:
    defaultMode: 0440
    sources:
      {{- . | nindent 6 }}
{{- end }}
{{- $authority := include "hearth.redisCa" (index . 0) }}
{{- $certificate := include "hearth.redisCert" (index . 0) }}
{{- if or $authority $certificate }}
- name: redis
  projected:
    defaultMode: 0440
    sources:
      {{- with $authority }}
      - secret: {name: {{ . }}, items: [{key: ca.crt, path: ca.crt}]}
      {{- end }}
      {{- with $certificate }}
      - secret: {name: {{ . }}, items: [{key: tls.crt, path: tls.crt}, {key: tls.key, path: tls.key}]}
      {{- end }}
{{- end }}
{{- end -}}

{{/* Restricted, for every pod and container. 1654 is the user of .NET's images. */}}
{{- define "hearth.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "hearth.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* What a pod has of the operator's: (list . .Values.x "component"). */}}
{{- define "hearth.scheduling" -}}
{{- $root := index . 0 -}}
{{- $values := index . 1 -}}
serviceAccountName: {{ include "hearth.serviceAccountName" $root }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with $root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- range . }}
  - {{ toYaml . | nindent 4 | trim }}
    labelSelector:
      matchLabels:
        {{- include "hearth.selector" (list $root (index $ 2)) | nindent 8 }}
  {{- end }}
{{- end }}
{{- end -}}
