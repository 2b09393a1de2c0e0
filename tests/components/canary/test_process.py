"""The process that a model is tried in: without our packages, and killed when it hangs or takes too much memory."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from components.canary import probe as script
from components.canary.process import ModelError, Probe, ProbeDied


def save(folder: Path, function: Callable[[tf.Tensor], tf.Tensor]) -> str:
    """Save a model with one signature, `answer`, that takes texts."""
    module = tf.Module()
    module.answer = tf.function(
        lambda texts: {"answer": function(texts)}, input_signature=[tf.TensorSpec([None], tf.string, name="texts")]
    )
    tf.saved_model.save(module, str(folder), signatures={"answer": module.answer})
    return str(folder)


def endless(texts: tf.Tensor) -> tf.Tensor:
    """Loop forever, unless there is no text."""
    return tf.while_loop(lambda n: tf.size(texts) > tf.minimum(n, 0), lambda n: (n + 1,), (tf.constant(0),))[0]


def greedy(texts: tf.Tensor) -> tf.Tensor:
    """Allocate a GiB for each text."""
    return tf.reduce_sum(tf.random.uniform([tf.size(texts) * 1024, 512, 512]))


def crashing(texts: tf.Tensor) -> tf.Tensor:
    """Abort the process if there is a text."""
    with tf.control_dependencies([tf.cond(tf.size(texts) > 0, lambda: _abort(), lambda: tf.constant(0))]):
        return tf.identity(texts)


def _abort() -> tf.Tensor:
    with tf.control_dependencies([tf.raw_ops.Abort(error_msg="on purpose")]):
        return tf.constant(1)


def bound_to_its_process(texts: tf.Tensor) -> tf.Tensor:
    """Call a Python function, which exists only in the process that saved the model."""
    return tf.numpy_function(len, [texts], tf.int64)


@pytest.mark.parametrize(
    ("function", "options", "message"),
    [
        (endless, {"timeout_s": 1}, "had not finished answering a request (answer) after 1 s, with "),
        (greedy, {"memory_limit_mb": 900}, "MiB while answering a request (answer), above the limit of 900 MiB"),
        (crashing, {}, "was killed by SIGABRT while answering a request (answer)"),
    ],
    ids=["hangs", "takes too much memory", "crashes"],
)
def test_kills_a_process_that_does_not_answer_and_says_why(
    tmp_path: Path, function: Any, options: dict[str, Any], message: str
) -> None:
    model = save(tmp_path / "model", function)
    with Probe(timeout_s=300, memory_limit_mb=options.get("memory_limit_mb")) as probe:
        probe.load(model)
        probe.ask("answer", {"texts": []})
        probe.timeout_s = options.get("timeout_s", 300)
        with pytest.raises(ProbeDied, match=re.escape(message)):
            probe.ask("answer", {"texts": [b"a text"] * 2})
    with pytest.raises(ProcessLookupError):
        os.kill(probe.pid, 0)


def test_reports_an_error_and_keeps_the_process(tmp_path: Path) -> None:
    fails = save(tmp_path / "fails", bound_to_its_process)
    sound = save(tmp_path / "sound", tf.strings.length)
    with Probe(timeout_s=300) as probe:
        with pytest.raises(ModelError, match="SavedModel file does not exist") as missing:
            probe.load(str(tmp_path / "nothing"))
        assert "\n" not in str(missing.value)
        probe.load(fails)
        with pytest.raises(ModelError, match="pyfunc"):
            probe.ask("answer", {"texts": [b"a"]})
        signatures, seconds, cpu_s = probe.load(sound)
        assert (signatures["answer"].inputs, seconds > 0, cpu_s > 0) == ({"texts": "string"}, True, True)
        answer = probe.ask("answer", {"texts": [b"", b"a\0b", "价格".encode()]})
        assert answer.outputs["answer"].tolist() == [0, 3, 6]
        # Its own memory, however much the parent process held.
        assert 100 < probe.peak_memory_mb < 1500


def _run_as_server(statement: str) -> subprocess.CompletedProcess[str]:
    code = f"import runpy; runpy.run_path({script.__file__!r})['hide_packages'](); {statement}"
    return subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("module", ["components.registry", "tfx", "tf_keras", "keras_hub", "tensorflow_transform"])
def test_hides_packages_that_a_server_does_not_have(module: str) -> None:
    ended = _run_as_server(f"import sys; sys.path.insert(0, {str(Path(__file__).parents[3])!r}); import {module}")
    assert f"No module named '{module.partition('.')[0]}" in ended.stderr
    assert _run_as_server("import numpy").returncode == 0


def test_a_process_whose_parent_is_gone_ends(tmp_path: Path) -> None:
    model = save(tmp_path / "model", endless)
    starter = (
        "import json, subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, '-I', {script.__file__!r}], stdin=subprocess.PIPE)\n"
        f"commands = [{{'load': {model!r}}}, {{'signature': 'answer', 'inputs': {{'texts': ['']}}}}]\n"
        "for command in commands:\n"
        "    child.stdin.write((json.dumps(command | {'timeout_s': -8}) + '\\n').encode())\n"
        "child.stdin.flush()\n"
        "print(child.pid)\n"
    )
    pid = int(
        subprocess.run([sys.executable, "-c", starter], capture_output=True, text=True, check=True).stdout.splitlines()[
            0
        ]
    )
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.2)
    raise AssertionError("the process is still running")
