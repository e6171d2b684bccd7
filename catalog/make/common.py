"""Shared by all model scripts: a small ONNX graph builder and the writer of a catalog folder.

A folder is written whole: everything below `<id>/<version>` is removed first, so a run leaves no stale file.
"""

import json
import os
import shutil
from pathlib import Path

# One thread, so that sums are taken in one order and a second run gives the same bytes.
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SAMPLE = Path(__file__).resolve().parent.parent / "sample"
INSTANCE_TYPES = ["ml.t2.medium", "ml.m5.large", "ml.m5.xlarge", "ml.c5.large", "ml.c5.xlarge"]


class Graph:
    """Collects nodes and weights; `op` returns the name of the node's first output."""

    def __init__(self):
        self.nodes, self.weights, self.count = [], [], 0

    def _name(self, kind):
        self.count += 1
        return f"{kind.lower()}_{self.count}"

    def op(self, kind, *inputs, out=None, **attributes):
        name = out or self._name(kind)
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=f"n_{name}", **attributes))
        return name

    def weight(self, array, half=False):
        """A constant. `half` stores it as float16 and casts at load: half the file, same arithmetic."""
        name, array = self._name("w"), np.asarray(array)
        if array.dtype == np.float64:
            array = array.astype(np.float32)
        if half:
            self.weights.append(numpy_helper.from_array(array.astype(np.float16), name))
            return self.op("Cast", name, to=TensorProto.FLOAT)
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def ints(self, *values):
        return self.weight(np.array(values, dtype=np.int64))

    def linear(self, x, weight, bias, half=False):
        product = self.op("MatMul", x, self.weight(weight, half))
        return product if bias is None else self.op("Add", product, self.weight(bias))

    def save(self, path, inputs, outputs):
        """inputs, outputs: [(name, onnx type, shape)]."""
        graph = helper.make_graph(
            self.nodes, "stoa", [helper.make_tensor_value_info(*i) for i in inputs],
            [helper.make_tensor_value_info(*o) for o in outputs], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="stoa-catalog")
        model.ir_version = 8
        onnx.checker.check_model(model, full_check=True)
        path.write_bytes(model.SerializeToString(deterministic=True))


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def start_folder(model_id, version):
    """Makes an empty `<id>/<version>/artifact` and returns the version's folder."""
    folder = SAMPLE / model_id / version
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "artifact").mkdir(parents=True)
    return folder


def finish_folder(folder, *, card, config, eula=None, **manifest):
    """Writes manifest.json, README.md, artifact/config.json and the EULA beside the model file."""
    full = {
        "id": folder.parent.name, "version": folder.name, "licence": "Apache-2.0", "gated": eula is not None,
        **({"eula": "EULA.txt"} if eula else {}), "default_instance_type": "ml.m5.large",
        "supported_instance_types": INSTANCE_TYPES, "image": "stoa/inference:1", "environment": {}, **manifest,
    }
    write_json(folder / "manifest.json", full)
    write_json(folder / "artifact" / "config.json", {"format": 1, **config})
    (folder / "README.md").write_text(card.strip() + "\n", encoding="utf-8")
    if eula:
        (folder / "EULA.txt").write_text(eula.strip() + "\n", encoding="utf-8")
    size = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
    print(f"{folder.parent.name} {folder.name}: {size / 1024:.0f} KiB", flush=True)


def text_payload(text, **extra):
    return {"content_type": "application/json", "body": {"inputs": text, **extra}, "prompt_key": "inputs"}
