#!/usr/bin/env bash
# Create .venv from requirements.lock, in the parent of this script's folder. `make` calls it when the lock is newer than the
# environment. It always starts from nothing, so an interrupted set-up leaves nothing to clean up.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3.11}

refuse() {
    echo "setup: $1; install it, or use the container: docker build -t bert-multilabel . (see Dockerfile)" >&2
    exit 1
}

[ "$(uname -sm)" = "Linux x86_64" ] || refuse "$(uname -sm) is not supported: TFX's libraries have wheels for Linux x86_64 only"
"$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null \
    || refuse "Python 3.11 is missing (no working '$python')"
"$python" -c 'import bz2, ctypes, ensurepip, sqlite3, ssl, venv' 2>/dev/null \
    || refuse "this Python 3.11 lacks a standard module (Debian: python3.11-venv)"
# One package of the lock (pyfarmhash) has no wheel.
"$python" -c 'import pathlib, shutil, sys, sysconfig
needed = shutil.which(sysconfig.get_config_var("CXX").split()[0]), pathlib.Path(sysconfig.get_path("include"), "Python.h")
sys.exit(needed[0] is None or not needed[1].is_file())' 2>/dev/null \
    || refuse "a C++ compiler or the headers of Python 3.11 are missing (Debian: g++ python3.11-dev)"

# TFDV and ML Metadata need the symbols of glibc 2.39.
glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null | cut -d' ' -f2)
needs_private_libc=$("$python" -c \
    'import sys; print(int(tuple(map(int, sys.argv[1].split("."))) < (2, 39)))' "${glibc:-0.0}")

echo "setup: creating .venv from requirements.lock (4 GB, about a minute)" >&2
rm -rf .venv .libc
if [ "$needs_private_libc" = 1 ]; then
    command -v apt-get >/dev/null || refuse "glibc ${glibc:-(none)} is older than 2.39, and there is no apt to install a newer one"
    "$python" -m venv --copies .venv
else
    "$python" -m venv .venv
fi
venv_python=.venv/bin/python
"$venv_python" -m pip install --quiet --no-deps --require-hashes -r scripts/bootstrap.lock
[ "$needs_private_libc" = 0 ] || scripts/private_libc.sh
.venv/bin/uv pip install --quiet --python "$venv_python" --no-deps --require-hashes -r requirements.lock
.venv/bin/uv pip install --quiet --python "$venv_python" --no-deps --no-build-isolation --editable .
pwd -P > .venv/.ready
