# Shared by the scripts beside it. Not to be run by itself.
# shellcheck shell=sh

kind_folder=$(cd "$(dirname "$0")" && pwd)
# shellcheck disable=SC2034
tree=$(dirname "$kind_folder")
# shellcheck disable=SC2034
manifests=$kind_folder/manifests
name=${CLUSTER:-aigw}
kubectl=${KUBECTL:-kubectl}
helm=${HELM:-helm}

die() {
  printf 'error: %s\n' "$1" >&2
  exit 1
}

say() {
  printf '%s\n' "$1" >&2
}

# need PROGRAM WHERE-TO-GET-IT
need() {
  command -v "$1" >/dev/null 2>&1 || die "$1 is missing: $2"
}

need_docker() {
  need docker https://docs.docker.com/engine/install/
  docker info >/dev/null 2>&1 || die "docker does not answer: is its daemon running, and may you use it? (docker info)"
  need kind https://kind.sigs.k8s.io/docs/user/quick-start/#installation
}

need_clients() {
  need "$kubectl" "https://kubernetes.io/docs/tasks/tools/ (or set KUBECTL to its path)"
  need "$helm" "https://helm.sh/docs/intro/install/ (or set HELM to its path)"
}

# The kubeconfig of the cluster that kind/up makes, beside nothing of yours.
own_kubeconfig() {
  printf '%s/aigw-telemetry/kind-%s.kubeconfig\n' "${XDG_CACHE_HOME:-$HOME/.cache}" "$name"
}
