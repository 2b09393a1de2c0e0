"""What Label Studio's own SDK says of tasks, and what its converter exports: a program for its environment.

Reads a folder with tasks.json, labelling.xml and answers.json ({row: choices, or null for a skipped task}), checks
configuration, tasks and predictions, annotates the tasks, and converts them to JSON, JSON-MIN and CSV.
"""

import json
import sys
from pathlib import Path

from label_studio_sdk.converter import Converter
from label_studio_sdk.label_interface import LabelInterface


def main(folder: Path) -> None:
    """Check and convert; print what the SDK found wrong."""
    configuration = (folder / "labelling.xml").read_text()
    tasks = json.loads((folder / "tasks.json").read_text())
    answers = json.loads((folder / "answers.json").read_text())
    interface = LabelInterface(configuration)
    interface.validate()
    wrong = []
    for number, task in enumerate(tasks):
        task["id"] = number + 1
        if not interface.validate_task({"data": task["data"]}):
            wrong.append(f"task {number}")
        for prediction in task["predictions"]:
            wrong += interface.validate_prediction(prediction, return_errors=True)
        task["annotations"] = (
            [_annotation(number, answers[task["data"]["row"]])] if task["data"]["row"] in answers else []
        )
    (folder / "export").mkdir()
    (folder / "export" / "tasks.json").write_text(json.dumps(tasks))
    converter = Converter(configuration, str(folder))
    for form in ("JSON", "JSON_MIN", "CSV"):
        converter.convert(str(folder / "export" / "tasks.json"), str(folder / form), form, is_dir=False)
    found = {"wrong": wrong, "choices": sorted(interface.get_control("labels").labels)}
    sys.stdout.write(f"{json.dumps(found)}\n")


def _annotation(number: int, choices: list[str] | None) -> dict[str, object]:
    value = {"choices": choices}
    result = {"from_name": "labels", "to_name": "text", "type": "choices", "value": value, "id": f"r{number}"}
    return {
        "id": number + 100,
        "completed_by": 1,
        "created_at": "2026-11-28T06:00:00Z",
        "updated_at": "2026-11-28T06:00:00Z",
        "lead_time": 3.0,
        "was_cancelled": choices is None,
        "result": [result] if choices else [],
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))
