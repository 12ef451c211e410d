{{- define "aigw.fullname" -}}
{{- .Values.fullnameOverride | default (printf "%s-operator" .Release.Name) | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{- define "aigw.serviceAccount" -}}
{{- .Values.operator.serviceAccount.name | default (ternary (include "aigw.fullname" .) "default" .Values.operator.serviceAccount.create) -}}
{{- end -}}

{{- /* What a Deployment selects by: it never changes. */ -}}
{{- define "aigw.selector" -}}
app.kubernetes.io/name: aigw-operator
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end -}}

{{- /* The labels of every object. A component of its own keeps hooks and tests out of the Deployment's selector. */ -}}
{{- define "aigw.labels" -}}
{{- $component := .component | default "operator" -}}
{{- with .root -}}
app.kubernetes.io/name: aigw-operator
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: {{ $component }}
app.kubernetes.io/part-of: aigw-telemetry
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}
{{- end -}}

{{- /* An image: repository, and the digest if there is one, else the tag. */ -}}
{{- define "aigw.image" -}}
{{- if .image.digest -}}
{{ .image.repository }}@{{ .image.digest }}
{{- else -}}
{{ .image.repository }}:{{ .image.tag | default .root.Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- /* "true" where a switch is on, or is auto and the API is served. */ -}}
{{- define "aigw.enabled" -}}
{{- if eq (toString .switch) "true" -}}true
{{- else if and (eq (toString .switch) "auto") (.root.Capabilities.APIVersions.Has .api) -}}true
{{- end -}}
{{- end -}}

{{- /* What the uninstall and the apply hooks have in common: pods that fulfil "restricted". */ -}}
{{- define "aigw.hookPod" -}}
restartPolicy: Never
serviceAccountName: {{ include "aigw.serviceAccount" . }}
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.operator.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.operator.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.operator.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.operator.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
securityContext:
  {{- toYaml .Values.operator.podSecurityContext | nindent 2 }}
volumes:
  - name: hooks
    configMap:
      name: {{ include "aigw.fullname" . }}-hooks
{{- end -}}

{{- /* One container of a hook. */ -}}
{{- define "aigw.hookContainer" -}}
image: {{ include "aigw.image" (dict "root" . "image" .Values.operator.image) }}
imagePullPolicy: {{ .Values.operator.image.pullPolicy }}
resources:
  {{- toYaml .Values.hooks.resources | nindent 2 }}
securityContext:
  {{- toYaml .Values.operator.securityContext | nindent 2 }}
volumeMounts:
  - name: hooks
    mountPath: /hooks
    readOnly: true
{{- end -}}

{{- /* The settings of the operator, as `aigw-operator run` and `aigw-operator undo` read them. */ -}}
{{- define "aigw.environment" -}}
- name: AIGW_OPERATOR_RECEIVER_IMAGE
  value: {{ include "aigw.image" (dict "root" . "image" .Values.receiver.image) | quote }}
{{- with .Values.operator.namespaces }}
- name: AIGW_OPERATOR_NAMESPACES
  value: {{ join "," . | quote }}
{{- end }}
{{- with .Values.operator.gatewayController }}
- name: AIGW_OPERATOR_GATEWAY_CONTROLLER
  value: {{ . | quote }}
{{- end }}
{{- if ne .Values.operator.clusterDomain "cluster.local" }}
- name: AIGW_OPERATOR_CLUSTER_DOMAIN
  value: {{ .Values.operator.clusterDomain | quote }}
{{- end }}
{{- if ne (int .Values.operator.resync) 300 }}
- name: AIGW_OPERATOR_RESYNC
  value: {{ .Values.operator.resync | quote }}
{{- end }}
{{- if ne .Values.operator.logLevel "info" }}
- name: AIGW_OPERATOR_LOG_LEVEL
  value: {{ .Values.operator.logLevel | quote }}
{{- end }}
{{- with .Values.operator.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}
