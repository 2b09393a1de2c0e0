"""The pipeline for TFX's own command line, engine local.

    tfx pipeline create --engine local --pipeline_path runners/tfx_cli/local.py
    tfx run create --engine local --pipeline_name sample

The first loads this file in its own process, where LocalDagRunner takes note of the pipeline and runs nothing; the
second starts it as a program, which then is `bert-multilabel run`: one at a time, with summary, report and webhook.
`BERT_MULTILABEL_CONFIG` names the configuration, for both.
"""

from runners.tfx_cli.entry import checked_configuration, loaded_by_tfx, one_line_errors, run


def main() -> None:
    if not loaded_by_tfx():
        return run("local")
    from tfx.orchestration.local.local_dag_runner import LocalDagRunner

    from pipeline.create import create_pipeline

    with one_line_errors():
        LocalDagRunner().run(create_pipeline(checked_configuration()))
    return None


if __name__ == "__main__":
    main()
