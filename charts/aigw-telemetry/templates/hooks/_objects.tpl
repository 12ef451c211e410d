{{- /* The objects of the kinds that come with this very release, as one JSON list: the default receiver, and a policy for each namespace of "gateways". */ -}}
{{- define "aigw.objects" -}}
{{- $labels := merge (include "aigw.labels" (dict "root" . "component" "telemetry") | fromYaml) (dict "telemetry.aigw.dev/release" (include "aigw.release" .)) -}}
{{- $objects := list -}}
{{- $receiver := .Values.defaultReceiver -}}
{{- if $receiver.create -}}
{{- $objects = append $objects (dict "apiVersion" "telemetry.aigw.dev/v1alpha1" "kind" "TelemetryReceiver" "metadata" (dict "name" $receiver.name "namespace" .Release.Namespace "labels" $labels) "spec" $receiver.spec) -}}
{{- end -}}
{{- $spec := .Values.policy.spec -}}
{{- if and .Values.gateways (not (or $spec.receiverRef $spec.endpoint)) -}}
{{- if not $receiver.create -}}
{{- fail "gateways: say where their telemetry goes, by defaultReceiver.create=true, policy.spec.receiverRef or policy.spec.endpoint" -}}
{{- end -}}
{{- $spec = merge (dict "receiverRef" (dict "name" $receiver.name "namespace" .Release.Namespace)) $spec -}}
{{- end -}}
{{- $targets := dict -}}
{{- range .Values.gateways -}}
{{- $known := get $targets .namespace | default (dict "all" false "names" list) -}}
{{- if .name -}}
{{- $known = dict "all" $known.all "names" (append $known.names .name) -}}
{{- else -}}
{{- $known = dict "all" true "names" $known.names -}}
{{- end -}}
{{- $_ := set $targets .namespace $known -}}
{{- end -}}
{{- range $namespace, $known := $targets -}}
{{- $kind := dict "group" "gateway.networking.k8s.io" "kind" "Gateway" -}}
{{- $selected := dict -}}
{{- if $known.all -}}
{{- $_ := set $selected "targetSelectors" (list $kind) -}}
{{- else -}}
{{- $references := list -}}
{{- range uniq $known.names -}}
{{- $references = append $references (merge (dict "name" .) $kind) -}}
{{- end -}}
{{- $_ := set $selected "targetRefs" $references -}}
{{- end -}}
{{- $objects = append $objects (dict "apiVersion" "telemetry.aigw.dev/v1alpha1" "kind" "TelemetryPolicy" "metadata" (dict "name" $.Values.policy.name "namespace" $namespace "labels" $labels) "spec" (merge $selected $spec)) -}}
{{- end -}}
{{- with .Values.operator.namespaces -}}
{{- range $objects -}}
{{- if not (has .metadata.namespace $.Values.operator.namespaces) -}}
{{- fail (printf "operator.namespaces: %s %s is in namespace %s, which is not among them" .kind .metadata.name .metadata.namespace) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toPrettyJson $objects -}}
{{- end -}}

{{- /* By this label the hooks know again what an earlier revision has applied. */ -}}
{{- define "aigw.release" -}}
{{- printf "%s.%s" .Release.Namespace .Release.Name | trunc 63 | trimSuffix "-" | trimSuffix "." -}}
{{- end -}}

{{- /* The moments at which the hooks' own objects are needed. An install without objects needs no Job. */ -}}
{{- define "aigw.applyMoments" -}}
{{- if or .Values.defaultReceiver.create .Values.gateways -}}
post-install,post-upgrade,post-rollback
{{- else -}}
post-upgrade,post-rollback
{{- end -}}
{{- end -}}

{{- define "aigw.hookMoments" -}}
{{- include "aigw.applyMoments" . -}}{{- if .Values.hooks.uninstall.enabled -}},pre-delete{{- end -}}
{{- end -}}
