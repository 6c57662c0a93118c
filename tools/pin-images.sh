#!/usr/bin/env bash
# Writes the digests of the base images into the Dockerfile, and that of Redis into the chart: tools/pin-images.sh [--check]
# Needs one of crane, skopeo or docker (buildx), and the network. With --check nothing is written: it fails where a digest is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "${1:-}" = --check ]; then
  missing=$(grep -nE '^ARG (SDK|RUNTIME|CUDA)=' Dockerfile | grep -v '@sha256:' || true)
  grep -A8 '^redis:' helm/hearth/values.yaml | grep -q 'digest: "sha256:' || missing+=$'\nhelm/hearth/values.yaml: redis.image.digest'
  [ -z "$missing" ] || { echo "Not pinned:"; echo "$missing"; exit 1; }
  exit 0
fi

digest_of() {
  if command -v crane >/dev/null; then crane digest "$1"
  elif command -v skopeo >/dev/null; then skopeo inspect --raw "docker://$1" | sha256sum | sed 's/^\([0-9a-f]*\).*/sha256:\1/'
  elif command -v docker >/dev/null; then docker buildx imagetools inspect "$1" --format '{{.Manifest.Digest}}'
  else echo "Needs crane, skopeo or docker." >&2; return 1
  fi
}

for name in SDK RUNTIME CUDA; do
  image=$(sed -n "s/^ARG $name=\([^@]*\).*/\1/p" Dockerfile)
  digest=$(digest_of "$image")
  sed -i "s|^ARG $name=.*|ARG $name=$image@$digest|" Dockerfile
  echo "$image@$digest"
done

values=helm/hearth/values.yaml
image=$(awk '/^redis:/{r=1} r&&/repository:/{i=$2} r&&/tag:/{print i":"$2; exit}' "$values")
digest=$(digest_of "$image")
awk -v digest="$digest" '/^[a-z]/{r=/^redis:/} r&&!done&&/digest:/{sub(/digest: ".*"/, "digest: \"" digest "\""); done=1} {print}' "$values" > "$values.new"
mv "$values.new" "$values"
echo "$image@$digest"
echo "Now run tests/Chart/update.sh: the renders name the digest."
