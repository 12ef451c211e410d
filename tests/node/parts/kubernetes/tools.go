//go:build tools

// Package parts pins the programs of a Kubernetes node, so that one go.mod and go.sum build both.
package parts

import (
	_ "k8s.io/kubernetes/cmd/kube-proxy"
	_ "k8s.io/kubernetes/cmd/kubelet"
)
