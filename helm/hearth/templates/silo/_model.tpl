{{/* Where the weights come from. */}}
{{- define "hearth.modelMount" -}}
{{- if eq .Values.model.source "copy" -}}
- {name: model, mountPath: /models, readOnly: true}
{{- else -}}
- {name: model, mountPath: /models/{{ .Values.model.name }}, readOnly: true{{ with .Values.model.path }}, subPath: {{ . }}{{ end }}}
{{- end -}}
{{- end -}}

{{- define "hearth.modelVolumes" -}}
{{- $model := .Values.model -}}
{{- if eq $model.source "copy" }}
- name: model
  emptyDir: {sizeLimit: {{ $model.copy.sizeLimit }}}
- name: source
  persistentVolumeClaim: {claimName: {{ required "model.copy.fromClaim: name the claim to copy the model from" $model.copy.fromClaim }}, readOnly: true}
{{- else if eq $model.source "pvc" }}
- name: model
  persistentVolumeClaim: {claimName: {{ include "hearth.fullname" . }}-model, readOnly: true}
{{- else if eq $model.source "existingClaim" }}
- name: model
  persistentVolumeClaim: {claimName: {{ required "model.existingClaim: name the claim that holds the model" $model.existingClaim }}, readOnly: true}

{{- end }}
{{- if include "hearth.modelSums" . }}
- name: model-sums
  configMap: {name: {{ include "hearth.fullname" . }}-model-sums}
{{- end }}
{{- end -}}

{{- define "hearth.verifiesModel" -}}
{{- if and .Values.model.verify (ne .Values.model.source "demo") }}true{{ end -}}
{{- end -}}

{{/* The checksums as sha256sum writes them, or nothing where none are given or nobody reads them. */}}
{{- define "hearth.modelSums" -}}
{{- if or (eq .Values.model.source "copy") (include "hearth.verifiesModel" .) -}}
{{- range $file, $sum := .Values.model.checksums }}
{{ $sum }}  {{ $file }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "hearth.siloResources" -}}
{{- $cuda := eq .Values.silo.device "cuda" -}}
{{- $plain := $cuda | ternary
  (dict "requests" (dict "cpu" "4" "memory" "32Gi") "limits" (dict "memory" "32Gi"))
  (dict "requests" (dict "cpu" "1" "memory" "2Gi") "limits" (dict "cpu" "2" "memory" "2Gi")) -}}
{{- $resources := deepCopy (.Values.silo.resources | default $plain) -}}
{{- if $cuda -}}
{{- $limits := set (default dict $resources.limits) .Values.silo.gpu.resourceName 1 -}}
{{- $resources = set $resources "limits" $limits -}}
{{- end -}}
{{- toYaml $resources -}}
{{- end -}}
