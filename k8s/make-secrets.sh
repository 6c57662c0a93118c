#!/usr/bin/env bash
# Prints the Secret that the manifests refer to, with new keys: k8s/make-secrets.sh NAMESPACE | kubectl apply -f -
# Run it once: caches in Redis can be read with their key only. Back the Secret up.
set -euo pipefail
namespace=${1:?usage: make-secrets.sh NAMESPACE}
random() { head -c "$1" /dev/urandom | base64 | tr -d '\n'; }
key=hearth-$(random 60 | tr -dc 'A-Za-z0-9' | head -c 40)
cat <<YAML
apiVersion: v1
kind: Secret
metadata:
  name: hearth-secrets
  namespace: $namespace
type: Opaque
stringData:
  api-key: $key
  api-keys: |
    $key local chat,read,admin
  cluster-key: $(random 36)
  spill-keys: $(random 32)
  redis-password: $(random 60 | tr -dc 'A-Za-z0-9' | head -c 32)
YAML
