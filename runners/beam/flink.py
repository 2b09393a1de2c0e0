"""What a Flink cluster's REST API is asked: beforehand, whether it can take the jobs; afterwards, why one failed."""

import re
from dataclasses import dataclass
from typing import Any

import requests

from pipeline.beam import FLINK_VERSION, job_jar
from pipeline.config.beam import BeamSettings
from pipeline.config.configuration import Configuration
from pipeline.errors import StepFailed
from schema.errors import Refused

_ANSWER_S = 10
_LONGEST_CAUSE = 300
_AGAIN = "and run again: finished steps come from the cache"


@dataclass(frozen=True)
class _Advice:
    """What a person can do about what Flink says.

    Attributes:
        said: A pattern of it.
        advice: What to do.
    """

    said: str
    advice: str


_ADVICE = (
    _Advice(
        r"minimum required resources|NoResourceAvailable|[Ss]lot request",
        f"start the TaskManagers that are missing (scripts/flink.sh start), or lower beam.workers, {_AGAIN}",
    ),
    _Advice(
        r"TaskExecutor.* (lost|no longer)|TaskManager.* (lost|no longer|timed out|not reachable)|unreachable"
        r"|Connection unexpectedly closed|RemoteTransportException|TaskManagerLost",
        f"a TaskManager was lost; start it again (scripts/flink.sh start) {_AGAIN}",
    ),
    _Advice(
        r"Process died with exit code|Cannot run program",
        "a Python worker could not start: each TaskManager needs beam.flink.worker, and work_dir as it is"
        " here; the TaskManagers' own output says more",
    ),
    _Advice(
        r"FlinkPipelineRunner|ClassNotFound|NoClassDefFound",
        "the cluster lacks Beam's classes: put beam-flink-job-server.jar into Flink's lib folder, or name it as"
        " beam.flink.job_server_jar",
    ),
    _Advice(
        r"Insufficient number of network buffers",
        "raise taskmanager.memory.network.max of the cluster, or lower beam.workers",
    ),
    _Advice(
        r"OutOfMemoryError|exceeding memory limits|exit code 137",
        "give the TaskManagers more memory (FLINK_MEMORY of scripts/flink.sh), or lower beam.workers",
    ),
    _Advice(
        r"No such file or directory|NotFoundError|FileNotFound",
        "work_dir and examples.input_base have to be where each TaskManager sees the same files, not in its own /tmp",
    ),
)


def check_cluster(beam: BeamSettings) -> None:
    """Checks that the cluster is there, of the right version, and has the slots that a job takes.

    Raises:
        Refused: It has not; the message says what to do.
    """
    address = beam.flink.address
    jar = job_jar(beam.flink)
    if not jar.is_file():
        key = "beam.flink.job_server_jar" if beam.flink.job_server_jar else "scripts/flink.sh fetch makes it"
        raise Refused(f"{jar}: not there ({key})")
    try:
        overview = _get(f"{address}/overview", beam.flink.check_s)
    except requests.RequestException as error:
        raise Refused(
            f"beam.flink.address {address}: no Flink answers there ({type(error).__name__}); scripts/flink.sh start"
            " starts one, or set the address"
        ) from None
    version = str(overview.get("flink-version", "unknown"))
    if not version.startswith(f"{FLINK_VERSION}."):
        raise Refused(f"beam.flink.address {address}: is Flink {version}; Beam's classes here are for {FLINK_VERSION}")
    slots = int(overview.get("slots-total", 0))
    if slots < beam.workers:
        raise Refused(
            f"beam.workers is {beam.workers}, but Flink at {address} has {slots} slots; start TaskManagers"
            " (scripts/flink.sh start), or lower it"
        )


def explained(config: Configuration, failure: StepFailed) -> StepFailed:
    """A step's failure in Flink's words and with what to do about it, where it is a job's; else as it was."""
    cause = failure.__cause__
    # So Beam's runners say that a job has failed, or could not be handed over.
    of_a_job = isinstance(cause, RuntimeError) and re.search(r"failed in state|^Request to http", str(cause))
    if config.beam.runner != "flink" or not (of_a_job or isinstance(cause, requests.RequestException)):
        return failure
    assert cause is not None
    return StepFailed(failure.step, RuntimeError(_why(config, cause)))


def _why(config: Configuration, cause: BaseException) -> str:
    """Why the pipeline's newest job has failed; if it has not, what Beam says."""
    address = config.beam.flink.address
    try:
        jobs = [job for job in _get(f"{address}/jobs/overview", _ANSWER_S)["jobs"] if job["name"] == config.name]
        newest = max(jobs, key=lambda job: int(job["start-time"]), default=None)
        if newest is None or newest["state"] not in ("FAILED", "FAILING", "CANCELED"):
            return _in_a_line(str(cause))
        answer = _get(f"{address}/jobs/{newest['jid']}/exceptions", _ANSWER_S)
    except (requests.RequestException, KeyError, ValueError):
        return f"Flink at {address} answers no more; start it again (scripts/flink.sh start) {_AGAIN}"
    return _in_a_line(str(answer.get("root-exception") or cause))


def _in_a_line(trace: str) -> str:
    """The innermost cause of a Java or Python trace, and advice that fits anything in it."""
    advice = next((each.advice for each in _ADVICE if re.search(each.said, trace)), "Flink's page and logs say more")
    return f"{_innermost(trace)[:_LONGEST_CAUSE]}; {advice}"


def _innermost(trace: str) -> str:
    python = re.findall(r"^(?:\w+\.)*(\w*(?:Error|Exception|Refused|Interrupt)\b.*)$", trace, re.MULTILINE)
    if "Traceback (most recent call last)" in trace and python:
        return str(python[-1]).split(" [while running")[0].strip()
    java = re.findall(r"^Caused by: (?:[\w$]+\.)*(.*)$", trace, re.MULTILINE)
    lines = [line.strip() for line in trace.splitlines() if line.strip()]
    return (str(java[-1]) if java else lines[0] if lines else "it says nothing").strip()


def _get(url: str, timeout_s: float) -> dict[str, Any]:
    answer = requests.get(url, timeout=timeout_s)
    answer.raise_for_status()
    content: dict[str, Any] = answer.json()
    return content
