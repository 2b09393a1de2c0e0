"""Pipeline file for TFX's own command line, engine vertex.

    tfx pipeline create --engine vertex --pipeline_path runners/tfx_cli/vertex.py
    tfx run create --engine vertex --pipeline_name my-texts --project my-project --region europe-west4

The first, like `tfx pipeline compile`, writes the PipelineJob that `bert-multilabel compile --runner vertex` writes, as
pipeline.json; the second submits that file. `BERT_MULTILABEL_CONFIG` names the configuration.
"""

from pathlib import Path
from typing import Any

from tfx.orchestration.kubeflow.v2.kubeflow_v2_dag_runner import KubeflowV2DagRunner

from components.common.files import write_whole
from pipeline.check import check_without_data
from pipeline.config.loading import load_configuration
from runners.tfx_cli.entry import configuration_file, one_line_errors
from runners.vertex.job import build_job, job_text


class _RecordingDagRunner(KubeflowV2DagRunner):  # type: ignore[misc]
    """KubeflowV2DagRunner that records which file TFX's command line, which replaces its `run`, wants to be written."""

    file: Path

    def run(self, *arguments: Any, **named: Any) -> Any:
        job = super().run(*arguments, **named)
        _RecordingDagRunner.file = Path(self._output_dir, self._output_filename)
        return job


def main() -> None:
    """Write the PipelineJob where TFX's command line expects it."""
    with one_line_errors():
        config = load_configuration(configuration_file())
        check_without_data(config)
        # TFX's runner builds only a part of the job, and its command line calls nothing but TFX's runner.
        job = build_job(config, _RecordingDagRunner)
    write_whole(str(_RecordingDagRunner.file), job_text(job).encode())


if __name__ == "__main__":
    main()
