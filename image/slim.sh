#!/bin/sh
# Remove from an environment what no container uses. imports.py tries the rest when the image is built, and
# tests/image/test_image.py runs a whole pipeline with it.
set -eu
site=$1/lib/python3.11/site-packages

rm -f "$1/.lock" # uv's lock, which anybody could write to

# Headers and static libraries are for compiling against these packages.
rm -rf "$site/tensorflow/include" "$site/pyarrow/include"
find "$site" -type f \( -name '*.h' -o -name '*.hpp' -o -name '*.hh' -o -name '*.a' -o -name '*.pxd' \) -delete

# A compiler library that TensorFlow depends on and never loads; the server of TensorBoard's pages.
rm -rf "$site"/clang "$site"/libclang-*.dist-info
rm -rf "$site"/tensorboard_data_server "$site"/tensorboard_data_server-*.dist-info

# Tests. NumPy's stay: numpy.testing imports them.
for package in google/genai pandas pyarrow scipy sklearn tf_keras; do
    find "$site/$package" -type d -name tests -prune -exec rm -rf {} +
done
find "$site/tfx" -type d -name testdata -prune -exec rm -rf {} +

# Debug symbols; the symbols that libraries need to find each other stay.
find "$site/tensorflow" "$site/tensorflow_text" "$site/tfx_bsl" "$site/tensorflow_data_validation" "$site/ml_metadata" \
    -type f -name '*.so*' -exec strip --strip-unneeded {} +
