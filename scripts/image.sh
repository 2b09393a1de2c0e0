#!/usr/bin/env bash
# Builds the container image with Docker or Podman: scripts/image.sh TAG VARIANT, where VARIANT is cpu, cuda (for a Trainer
# that has a GPU) or beam (what Dataflow and Flink start workers with).
set -euo pipefail
cd "$(dirname "$0")/.."
tag=$1 variant=$2

case $variant in
    cpu | cuda) arguments=(--target pipeline --build-arg "VARIANT=$variant") ;;
    beam) arguments=(--target beam) ;;
    *)
        echo "image: there is no variant '$variant'; known: cpu, cuda, beam" >&2
        exit 2
        ;;
esac
for engine in docker podman; do
    # The client alone builds nothing: its engine must answer.
    if command -v "$engine" >/dev/null && "$engine" info >/dev/null 2>&1; then
        exec "$engine" build "${arguments[@]}" --tag "$tag" .
    fi
done
echo "image: neither Docker nor Podman answers here; install one, or build where there is one" >&2
exit 1
