"""A stack as objects of Kubernetes: https://kubernetes.io/docs/reference/kubernetes-api/."""
