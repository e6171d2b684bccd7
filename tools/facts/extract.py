#!/usr/bin/env python3
"""Extracts facts about AWS services into facts/<service>/{model,actions}.json: names, shapes, bindings, limits, no prose.
IAM actions of prefixes whose service has no folder go into facts/prefixes/<prefix>.json.

Sources, both pinned in botocore.lock by version and SHA-256:
  * the service models in a botocore wheel (or in an installed botocore of exactly that version);
  * authz_facts.json: IAM actions, access levels, resource ARN patterns, condition keys.

Deterministic: the same sources give the same bytes. Nothing is downloaded; a source that is not the pinned one is refused.

usage: extract.py (--wheel FILE | --installed DIR) --authz FILE [--out facts] [--write-lock]
  --installed takes the folder that holds the package `botocore` (a site-packages folder).
"""

import argparse
import gzip
import hashlib
import json
import pathlib
import re
import sys
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
LOCK = HERE / "botocore.lock"

# Services whose shapes are kept, and services that have only their operation tables so far.
FULL = ["iam", "kms", "organizations", "ram", "sagemaker", "sagemaker-runtime", "sts"]
ROWS = [
    "cloudformation", "cloudtrail", "cloudwatch", "ecr", "events", "logs", "pricing",
    "s3", "sagemaker-featurestore-runtime", "sagemaker-metrics", "servicecatalog",
]
# The prefix of a service's IAM actions where it is not the service's name.
PREFIX = {"sagemaker-runtime": "sagemaker", "sagemaker-featurestore-runtime": "sagemaker", "sagemaker-metrics": "sagemaker"}

# The source gives this prefix the name of the other service that uses it.
NAME = {"cloudformation": "AWS CloudFormation"}

METADATA = [
    "apiVersion", "awsQueryCompatible", "endpointPrefix", "globalEndpoint", "jsonVersion", "protocols", "serviceFullName",
    "serviceId", "signingName", "targetPrefix", "xmlNamespace",
]
SHAPE = [
    "type", "required", "members", "member", "key", "value", "min", "max", "pattern", "enum", "sensitive", "box", "flattened",
    "locationName", "payload", "union", "document", "error", "exception", "fault", "timestampFormat", "eventstream", "event",
    "streaming",
]
MEMBER = [
    "shape", "location", "locationName", "idempotencyToken", "jsonvalue", "timestampFormat", "flattened", "box", "streaming",
    "eventpayload", "hostLabel",
]
OPERATION = ["http", "input", "output", "errors"]
LEVELS = {"R": "Read", "W": "Write", "L": "List", "T": "Tagging", "P": "PermissionsManagement"}


def only(source, keys):
    """The entries of `source` that are facts we keep."""
    return {key: source[key] for key in keys if key in source}


def shape_facts(shape):
    facts = only(shape, SHAPE)
    if "members" in facts:
        # The order of members is kept as a list: it is the order validation reports failures in.
        facts["members"] = [[name, only(member, MEMBER)] for name, member in facts["members"].items()]
    for part in ("member", "key", "value"):
        if part in facts:
            facts[part] = only(facts[part], MEMBER)
    return facts


def operation_facts(operation, rows_only):
    facts = only(operation, ["http"] if rows_only else OPERATION)
    facts["http"] = only(facts["http"], ["method", "requestUri", "responseCode"])
    if not rows_only:
        if "input" in facts:
            facts["input"] = facts["input"]["shape"]
        if "output" in facts:
            facts["output"] = only(facts["output"], ["shape", "resultWrapper"])
        facts["errors"] = [error["shape"] for error in facts.get("errors", [])]
    return facts


def model_facts(model, rows_only, source):
    return {
        "source": source,
        "metadata": only(model["metadata"], METADATA),
        "operations": {name: operation_facts(operation, rows_only) for name, operation in model["operations"].items()},
        "shapes": {} if rows_only else {name: shape_facts(shape) for name, shape in model["shapes"].items()},
    }


def action_facts(authz, prefix, service, operations):
    """Actions of one IAM prefix. Services that share a prefix each get it whole only where they own it."""
    known = authz["services"].get(prefix)
    if known is None:
        return {"prefix": prefix, "name": prefix, "actions": {}, "resources": {}, "keys": {}}
    keep = set(known["act"]) if prefix == service else {name for name in known["act"] if name in operations}
    actions = {}
    for name in keep:
        action = known["act"][name]
        level = next(letter for letter in "PTLRW" if letter in action["l"])
        entry = {"access": LEVELS[level], "keys": action.get("k", [])}
        entry["resources"] = {kind: only_set({
            "required": bool(rule[0]), "keys": rule[1] if len(rule) > 1 else [], "dependent": rule[2] if len(rule) > 2 else [],
        }) for kind, rule in action.get("r", {}).items()}
        entry["dependent"] = action.get("d", [])
        entry["legacy_keys"] = action.get("legacy", [])
        actions[name] = only_set(entry)
    used = {kind for action in actions.values() for kind in action.get("resources", {})}
    resources = {kind: rule for kind, rule in known["res"].items() if prefix == service or kind in used}
    return {
        "prefix": prefix,
        "name": NAME.get(prefix, known["name"]),
        "actions": actions,
        "resources": {kind: only_set({"arn": rule[0], "keys": rule[1]}) for kind, rule in resources.items()},
        "keys": known["keys"],
    }


def only_set(entry):
    return {key: value for key, value in entry.items() if value not in ([], {}, False, None)}


def lines(document):
    """JSON with one line per entry of each top-level table: small, and a changed shape is one changed line."""
    compact = lambda value: json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    parts = []
    for key in sorted(document):
        value = document[key]
        if isinstance(value, dict) and value:
            rows = ",\n".join(f"{json.dumps(name)}:{compact(value[name])}" for name in sorted(value))
            parts.append(f"{json.dumps(key)}:{{\n{rows}\n}}")
        else:
            parts.append(f"{json.dumps(key)}:{compact(value)}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


class Wheel:
    def __init__(self, path):
        self.sha256 = digest(path.read_bytes())
        self.archive = zipfile.ZipFile(path)
        self.names = self.archive.namelist()

    def read(self, name):
        return self.archive.read(name)


class Installed:
    def __init__(self, root):
        self.sha256 = None
        self.root = root
        self.names = [str(path.relative_to(root)) for path in root.glob("botocore/data/*/*/service-2.json.gz")]

    def read(self, name):
        return (self.root / name).read_bytes()


def digest(data):
    return hashlib.sha256(data).hexdigest()


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    where = arguments.add_mutually_exclusive_group(required=True)
    where.add_argument("--wheel", type=pathlib.Path)
    where.add_argument("--installed", type=pathlib.Path)
    arguments.add_argument("--authz", type=pathlib.Path, required=True)
    arguments.add_argument("--out", type=pathlib.Path, default=HERE.parent.parent / "facts")
    arguments.add_argument("--write-lock", action="store_true", help="pin these sources instead of checking them (needs --wheel)")
    options = arguments.parse_args()

    source = Wheel(options.wheel) if options.wheel else Installed(options.installed)
    version = re.search(r"__version__ = ['\"]([^'\"]+)", source.read("botocore/__init__.py").decode()).group(1)
    authz_bytes = options.authz.read_bytes()
    found = {"version": version, "wheel_sha256": source.sha256, "authz_sha256": digest(authz_bytes), "files": {}}
    models = {}
    for service in FULL + ROWS:
        versions = sorted(name for name in source.names if re.fullmatch(rf"botocore/data/{service}/[^/]+/service-2\.json\.gz", name))
        data = source.read(versions[-1])
        found["files"][versions[-1]] = digest(data)
        models[service] = json.loads(gzip.decompress(data))

    if options.write_lock:
        if not options.wheel:
            sys.exit("error: --write-lock needs --wheel, so that the wheel's own digest is pinned")
        LOCK.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    locked = json.loads(LOCK.read_text())
    for key in ("version", "authz_sha256", "files", "wheel_sha256"):
        if found[key] is not None and found[key] != locked[key]:
            sys.exit(f"error: {key} is not what {LOCK.name} pins; run again with the pinned sources, or pin these by --write-lock")

    authz = json.loads(authz_bytes)
    for service, model in models.items():
        folder = options.out / service
        folder.mkdir(parents=True, exist_ok=True)
        facts = model_facts(model, service in ROWS, f"botocore {version}")
        (folder / "model.json").write_text(lines(facts))
        actions = action_facts(authz, PREFIX.get(service, service), service, model["operations"])
        (folder / "actions.json").write_text(lines(actions))
    prefixes = options.out / "prefixes"
    prefixes.mkdir(exist_ok=True)
    for prefix in sorted(set(authz["services"]) - set(PREFIX.values()) - set(models)):
        (prefixes / f"{prefix}.json").write_text(lines(action_facts(authz, prefix, prefix, {})))
    global_keys = {key: rule[0] for key, rule in authz["globals"].items()}
    (options.out / "global_keys.json").write_text(lines({"keys": global_keys}))
    print(f"facts of {len(models)} services from botocore {version}")


if __name__ == "__main__":
    main()
