"""`python -m MODULE ARGUMENTS` as in a container whose root folder is a folder of this machine.

Usage: python -m tests.runners.kubeflow.pod ROOT MODULE ARGUMENTS...

A container of Kubeflow has the launcher's copies at /minio, /s3 and /gcs; here they are below ROOT. Everything else is
the container's own command.
"""

import runpy
import sys

from runners.kfp import run_executor


def main() -> None:
    """Run the module."""
    _, root, module, *arguments = sys.argv
    sys.argv = [module, *arguments]
    if module == run_executor.__name__:
        run_executor.main({scheme: f"{root}{folder}" for scheme, folder in run_executor.COPIES.items()})
    else:
        runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
