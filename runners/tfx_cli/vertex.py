"""The pipeline for TFX's own command line, engine vertex.

    tfx pipeline create --engine vertex --pipeline_path runners/tfx_cli/vertex.py
    tfx run create --engine vertex --pipeline_name my-texts --project my-project --region europe-west4

The first, like `tfx pipeline compile`, writes the PipelineJob that `bert-multilabel compile --runner vertex` writes, as
pipeline.json; the second submits that file. `BERT_MULTILABEL_CONFIG` names the configuration.
"""

import json
from pathlib import Path
from typing import Any

from tfx.orchestration.kubeflow.v2.kubeflow_v2_dag_runner import KubeflowV2DagRunner

from components.common.files import write_whole
from pipeline.check import check_without_data
from pipeline.config.loading import load_configuration
from runners.tfx_cli.entry import configuration_file, one_line_errors
from runners.vertex.job import places_in_containers, settings_of
from runners.vertex.spec import build_job


class _ToldDagRunner(KubeflowV2DagRunner):  # type: ignore[misc]
    """Remembers where the command line, which puts a `run` of its own into KubeflowV2DagRunner, wants the file."""

    file: Path

    def run(self, *arguments: Any, **named: Any) -> Any:
        job = super().run(*arguments, **named)
        _ToldDagRunner.file = Path(self._output_dir, self._output_filename)
        return job


def main() -> None:
    with one_line_errors():
        config = load_configuration(configuration_file())
        check_without_data(config)
        settings = settings_of(config)
        # What TFX's runner makes is not all of the job, and its command line asks nobody but TFX's runner.
        job = build_job(config, settings, places_in_containers(config, settings), _ToldDagRunner)
    write_whole(str(_ToldDagRunner.file), f"{json.dumps(job, indent=1, sort_keys=True)}\n".encode())


if __name__ == "__main__":
    main()
