#!/usr/bin/env bash
# Build the container image: scripts/image.sh TAG VARIANT, where VARIANT is cpu, cuda (for a Trainer that has a GPU) or
# beam (what Dataflow and Flink start workers with). BUILD_ARGUMENTS holds further arguments of the engine's `build`.
set -euo pipefail
cd "$(dirname "$0")/.."
tag=$1 variant=$2

case $variant in
    cpu | cuda) arguments=(--target pipeline --build-arg "VARIANT=$variant") ;;
    beam) arguments=(--target beam) ;;
    *)
        echo "image: unknown variant '$variant'; known: cpu, cuda, beam" >&2
        exit 2
        ;;
esac
read -ra more <<<"${BUILD_ARGUMENTS:-}"
for engine in docker podman; do
    # The client alone builds nothing: its engine must answer.
    if command -v "$engine" >/dev/null && "$engine" info >/dev/null 2>&1; then
        exec "$engine" build "${arguments[@]}" ${more[@]+"${more[@]}"} --tag "$tag" .
    fi
done
if command -v buildah >/dev/null; then
    exec buildah build "${arguments[@]}" ${more[@]+"${more[@]}"} --tag "$tag" .
fi
echo "image: neither Docker nor Podman answers here, and there is no Buildah; install one" >&2
exit 1
