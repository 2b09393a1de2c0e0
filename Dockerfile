# The image of a step on Kubeflow or Vertex AI, of the whole pipeline, or of Beam's worker (`--target beam`). `make image`
# builds it. Debian 13's glibc is new enough for every wheel, so scripts/private_libc.sh is not needed.
ARG PYTHON_IMAGE=python:3.11-slim-trixie
ARG BEAM_IMAGE=apache/beam_python3.11_sdk:2.77.0

FROM ${PYTHON_IMAGE} AS packages
# cpu, or cuda: with NVIDIA's libraries, for a Trainer with a GPU.
ARG VARIANT=cpu
# A compiler for the one package of the lock without a wheel (pyfarmhash); it includes strip.
RUN apt-get update && apt-get install --yes --no-install-recommends g++
WORKDIR /build
COPY scripts/bootstrap.lock ./
RUN python -m venv /tools && /tools/bin/pip install --no-cache-dir --no-deps --require-hashes -r bootstrap.lock
COPY image/${VARIANT}.lock packages.lock
RUN python -m venv --without-pip /venv \
    && /tools/bin/uv pip install --python /venv --no-cache --no-deps --require-hashes -r packages.lock
COPY image/slim.sh image/imports.py ./
RUN sh slim.sh /venv && /venv/bin/python imports.py

FROM packages AS project
COPY pyproject.toml setup.py README.md LICENSE ./
COPY cli cli
COPY components components
COPY pipeline pipeline
COPY runners runners
COPY schema schema
COPY serving serving
RUN /venv/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /project .

FROM ${PYTHON_IMAGE} AS pipeline
COPY --from=packages /venv /venv
# After the packages, in a layer of its own, so that a change of the project's code pushes a megabyte.
COPY --from=project /project /project
ENV PATH=/venv/bin:$PATH
# TensorFlow enables oneDNN by default only on some Intel processors; NVIDIA's runtime mounts what is named here.
ENV TF_ENABLE_ONEDNN_OPTS=1 NVIDIA_DRIVER_CAPABILITIES=compute,utility
COPY image/imports.py /project/
# The imports write the bytecode that is still missing, which the image's user could not. The user is a number, so that
# Kubernetes can verify that it is not root. Kubeflow's launcher puts copies into the folders.
RUN pip install --no-cache-dir --no-deps --no-index /project/*.whl \
    && mkdir /tmp/home && HOME=/tmp/home python /project/imports.py --project && rm -rf /tmp/home \
    && useradd --uid 1000 --create-home bert \
    && install --directory --owner=bert /gcs /minio /s3
USER 1000
WORKDIR /home/bert
RUN bert-multilabel --help >/dev/null && python /project/imports.py --project
ENTRYPOINT ["bert-multilabel"]

# For workers on Dataflow and Flink: the same packages, so that they can unpickle what the pipeline pickled.
FROM ${BEAM_IMAGE} AS boot
FROM pipeline AS beam
COPY --from=boot /opt/apache/beam /opt/apache/beam
# Without it, Beam's boot creates an environment of its own, which does not include /venv.
ENV RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT=1
ENTRYPOINT ["/opt/apache/beam/boot"]

# Without --target: the pipeline.
FROM pipeline
