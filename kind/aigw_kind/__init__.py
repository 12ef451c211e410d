"""The traffic and the checks of an installed cluster: any kubeconfig, kubectl, and nothing but Python beside it."""
