#!/usr/bin/env bash
# Build the container image with Docker or Podman: scripts/image.sh TAG VARIANT, where VARIANT is cpu, cuda (for a Trainer with
# a GPU) or beam (for workers on Dataflow and Flink).
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
for engine in docker podman; do
    # The client alone cannot build: its engine must answer.
    if command -v "$engine" >/dev/null && "$engine" info >/dev/null 2>&1; then
        exec "$engine" build "${arguments[@]}" --tag "$tag" .
    fi
done
echo "image: neither Docker nor Podman answers; install one, or build on another machine" >&2
exit 1
