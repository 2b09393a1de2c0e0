"""Pipeline file for TFX's own command line, engine local.

    tfx pipeline create --engine local --pipeline_path runners/tfx_cli/local.py
    tfx run create --engine local --pipeline_name sample

The first loads this file in its own process, where LocalDagRunner records the pipeline and runs nothing. The second
starts it as a program, which then does what `bert-multilabel run` does: one run at a time, with summary, report and
webhook. `BERT_MULTILABEL_CONFIG` names the configuration for both.
"""

from runners.tfx_cli.entry import checked_configuration, is_loaded_by_tfx, one_line_errors, run


def main() -> None:
    """Give the pipeline to TFX's command line if that has loaded this file; else run it."""
    if not is_loaded_by_tfx():
        return run("local")
    from tfx.orchestration.local.local_dag_runner import LocalDagRunner

    from pipeline.create import create_pipeline

    with one_line_errors():
        LocalDagRunner().run(create_pipeline(checked_configuration()))
    return None


if __name__ == "__main__":
    main()
