"""Requests to a Flink cluster's REST API: whether it can take the jobs and, afterwards, why one failed."""

import re
from dataclasses import dataclass
from typing import Any

import requests

from pipeline.beam import FLINK_VERSION, BeamJobs, job_jar
from pipeline.config.beam import BeamSettings
from pipeline.errors import StepFailed
from schema.errors import Refused

_ANSWER_S = 10
_MAX_CAUSE_LENGTH = 300
_AGAIN = "and run again: finished steps come from the cache"


@dataclass(frozen=True)
class _Advice:
    """What a person can do about an error of Flink.

    Attributes:
        error: Pattern of the error.
        advice: What to do.
    """

    error: str
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
        "work_dir and examples.input_base must be where every TaskManager sees the same files, not in its own /tmp",
    ),
)


def check_cluster(beam: BeamSettings) -> None:
    """Check that the cluster answers, has the right version, and has the slots that a job takes.

    Raises:
        Refused: It does not; the message says what to do.
    """
    address = beam.flink.address
    jar = job_jar(beam.flink)
    if not jar.is_file():
        hint = "" if beam.flink.job_server_jar else "; set the key, or run scripts/flink.sh fetch in a checkout"
        raise Refused(f"beam.flink.job_server_jar {jar}: does not exist{hint}")
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


def explained(config: BeamJobs, failure: StepFailed) -> StepFailed:
    """Return a step's failure in Flink's own words, with advice, if a Flink job caused it; else the failure itself."""
    cause = failure.__cause__
    # Beam's runners report with these words that a job failed, or could not be submitted.
    is_of_job = isinstance(cause, RuntimeError) and re.search(r"failed in state|^Request to http", str(cause))
    if config.beam.runner != "flink" or not (is_of_job or isinstance(cause, requests.RequestException)):
        return failure
    assert cause is not None
    return StepFailed(failure.step, RuntimeError(_why(config, cause)))


def _why(config: BeamJobs, cause: BaseException) -> str:
    """Return why the pipeline's newest job failed; if it did not fail, Beam's own error."""
    address = config.beam.flink.address
    try:
        jobs = [job for job in _get(f"{address}/jobs/overview", _ANSWER_S)["jobs"] if job["name"] == config.name]
        newest = max(jobs, key=lambda job: int(job["start-time"]), default=None)
        if newest is None or newest["state"] not in ("FAILED", "FAILING", "CANCELED"):
            return _in_a_line(str(cause))
        answer = _get(f"{address}/jobs/{newest['jid']}/exceptions", _ANSWER_S)
    except (requests.RequestException, KeyError, ValueError):
        return f"Flink at {address} no longer answers; start it again (scripts/flink.sh start) {_AGAIN}"
    return _in_a_line(str(answer.get("root-exception") or cause))


def _in_a_line(trace: str) -> str:
    """Return the innermost cause of a Java or Python trace, with the advice whose pattern matches the trace."""
    advice = next((each.advice for each in _ADVICE if re.search(each.error, trace)), "see Flink's page and logs")
    return f"{_innermost(trace)[:_MAX_CAUSE_LENGTH]}; {advice}"


def _innermost(trace: str) -> str:
    python = re.findall(r"^(?:\w+\.)*(\w*(?:Error|Exception|Refused|Interrupt)\b.*)$", trace, re.MULTILINE)
    if "Traceback (most recent call last)" in trace and python:
        return str(python[-1]).split(" [while running")[0].strip()
    java = re.findall(r"^Caused by: (?:[\w$]+\.)*(.*)$", trace, re.MULTILINE)
    lines = [line.strip() for line in trace.splitlines() if line.strip()]
    return (str(java[-1]) if java else lines[0] if lines else "no message").strip()


def _get(url: str, timeout_s: float) -> dict[str, Any]:
    answer = requests.get(url, timeout=timeout_s)
    answer.raise_for_status()
    content: dict[str, Any] = answer.json()
    return content
