"""Pipeline file for TFX's own command line, engine beam: `local.py`, orchestrated by TFX's BeamDagRunner.

tfx pipeline create --engine beam --pipeline_path runners/tfx_cli/beam.py
tfx run create --engine beam --pipeline_name sample
"""

from runners.tfx_cli.entry import checked_configuration, is_loaded_by_tfx, one_line_errors, run


def main() -> None:
    """Give the pipeline to TFX's command line if that has loaded this file; else run it."""
    if not is_loaded_by_tfx():
        return run("beam")
    from tfx.orchestration.beam.beam_dag_runner import BeamDagRunner

    from pipeline.create import create_pipeline

    with one_line_errors():
        BeamDagRunner().run(create_pipeline(checked_configuration()))
    return None


if __name__ == "__main__":
    main()
