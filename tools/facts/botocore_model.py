"""Writes `docs/api/stoa/<version>/service-2.json`: Stoa's own service as boto3 reads it, from `facts/stoa/model.json`.

With `AWS_DATA_PATH=<checkout>/docs/api`, `boto3.client("stoa", endpoint_url=...)` works. `--check` only compares.
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def botocore_model(model):
    """botocore's form of a model: members as an object, the error trait beside `exception`."""
    metadata = {
        **{name: value for name, value in model["metadata"].items() if name != "protocols"},
        "protocol": model["metadata"]["protocols"][0],
        "protocols": model["metadata"]["protocols"],
        "signatureVersion": "v4",
        "uid": f"stoa-{model['metadata']['apiVersion']}",
    }
    operations = {}
    for name, operation in model["operations"].items():
        operations[name] = {
            "name": name,
            "http": operation["http"],
            "input": {"shape": operation["input"]},
            "output": {"shape": operation["output"]["shape"]},
            "errors": [{"shape": error} for error in operation["errors"]],
        }
    shapes = {}
    for name, shape in model["shapes"].items():
        shape = dict(shape)
        if "members" in shape:
            shape["members"] = dict(shape["members"])
        shapes[name] = shape
    return {"version": "2.0", "metadata": metadata, "operations": operations, "shapes": shapes}


def main():
    model = json.loads((ROOT / "facts/stoa/model.json").read_text())
    text = json.dumps(botocore_model(model), indent=1, sort_keys=True) + "\n"
    path = ROOT / "docs/api/stoa" / model["metadata"]["apiVersion"] / "service-2.json"
    if "--check" in sys.argv:
        sys.exit(0 if path.is_file() and path.read_text() == text else f"{path} is not what the facts give")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


if __name__ == "__main__":
    main()
