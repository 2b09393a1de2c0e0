# What a container runs: a step on Kubeflow or Vertex AI, the whole pipeline, or Beam's worker (`--target beam`).
# `make image` builds it. Debian 13's glibc is new enough for every wheel: no detour as in scripts/private_libc.sh.
ARG PYTHON_IMAGE=python:3.11-slim-trixie
ARG BEAM_IMAGE=apache/beam_python3.11_sdk:2.77.0

FROM ${PYTHON_IMAGE} AS packages
# cpu; cuda: with NVIDIA's libraries, for a Trainer that has a GPU.
ARG VARIANT=cpu
# A compiler, for the one package of the lock that has no wheel (pyfarmhash); strip comes with it.
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
RUN /venv/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /project .

FROM ${PYTHON_IMAGE} AS pipeline
COPY --from=packages /venv /venv
# After the packages, in a layer of its own: a change of the project's code is a push of a megabyte.
COPY --from=project /project /project
ENV PATH=/venv/bin:$PATH
# TensorFlow turns oneDNN on by itself only for some Intel processors; NVIDIA's runtime mounts what is named here.
ENV TF_ENABLE_ONEDNN_OPTS=1 NVIDIA_DRIVER_CAPABILITIES=compute,utility
# By number, so that Kubernetes sees that it is not root; the folders are where Kubeflow's launcher puts copies.
RUN pip install --no-cache-dir --no-deps --no-index /project/*.whl \
    && useradd --uid 1000 --create-home bert \
    && install --directory --owner=bert /gcs /minio /s3
USER 1000
WORKDIR /home/bert
COPY image/imports.py /project/
RUN bert-multilabel --help >/dev/null && python /project/imports.py --project
ENTRYPOINT ["bert-multilabel"]

# What Dataflow and Flink start workers with: the same packages, so that what is pickled here is understood there.
FROM ${BEAM_IMAGE} AS boot
FROM pipeline AS beam
COPY --from=boot /opt/apache/beam /opt/apache/beam
# Else Beam's boot makes an environment of its own, which does not see /venv.
ENV RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT=1
ENTRYPOINT ["/opt/apache/beam/boot"]

# Without --target: the pipeline.
FROM pipeline
