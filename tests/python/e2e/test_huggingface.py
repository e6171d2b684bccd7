"""The stock `huggingface_hub` (and `transformers`) against a hub: what is approved downloads, what policy or an EULA
keeps is refused by the client's own exceptions, and every call is the hub's own operation in the audit journal.

Clients run in a process of their own, as a user's do: `HF_ENDPOINT` and `HF_TOKEN` are all that they are told.
"""

import hashlib
import json
import os
import struct
import subprocess
import sys

import pytest
import requests

from support import GATED, IRIS, NO_PROXIES, REGION, SAMPLES, TINY, allow, clean_environment, deny, refused
from test_presigned import own_document

PRELUDE = """
import json, os, sys
from huggingface_hub import HfApi, hf_hub_download, snapshot_download
from huggingface_hub import errors
api = HfApi()
def told(call):
    try:
        return ["ok", call()]
    except Exception as error:
        names = [type(one).__name__ for one in (error, error.__cause__) if one is not None]
        return [names[0], str(error) + str(error.__cause__)]
answer = {}
"""


def client(tmp_path, endpoint, token, code, name="hf"):
    """Runs Python with the stock client; `answer` is what comes back."""
    environment = {
        **clean_environment(), "HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path / name), "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1", "NO_PROXY": "*", "HF_HUB_DISABLE_XET": "1",
    }
    environment.pop("HF_TOKEN", None)
    if token is not None:
        environment["HF_TOKEN"] = token
    script = f"{PRELUDE}\n{code}\nprint('ANSWER' + json.dumps(answer))"
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=300)
    lines = [line for line in done.stdout.splitlines() if line.startswith("ANSWER")]
    assert done.returncode == 0 and lines, f"{done.stdout}\n{done.stderr}"
    return json.loads(lines[0].removeprefix("ANSWER"))


def credentials(tmp_path, account, name="default"):
    path = tmp_path / f"credentials-{name}-{account.key}"
    text = f"[{name}]\naws_access_key_id={account.key}\naws_secret_access_key={account.secret}\n"
    path.write_text(text + (f"aws_session_token={account.token}\n" if account.token else ""))
    return path


def token(server, tmp_path, account, *arguments):
    command = ["hf", "token", "--credentials", credentials(tmp_path, account), *arguments]
    return server.command(*command).stdout.strip()


def endpoint(account, hub="h", owner=None):
    return f"{account.server.url}/hf/{owner or account.id}/{REGION}/{hub}"


@pytest.fixture
def hub(account):
    """A hub with two references."""
    sagemaker = account.client("sagemaker")
    sagemaker.create_hub(HubName="h", HubDescription="d")
    for model in (IRIS, TINY, GATED):
        arn = f"arn:aws:sagemaker:{REGION}:aws:hub-content/SageMakerPublicHub/Model/{model}"
        sagemaker.create_hub_content_reference(HubName="h", SageMakerPublicHubContentArn=arn)
    return sagemaker


def artifact(model, version="1.0.0"):
    root = SAMPLES / model / version / "artifact"
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_a_model_downloads_by_the_stock_client(server, account, hub, tmp_path):
    exports = server.command(
        "hf", "token", "--credentials", credentials(tmp_path, account), "--hub", "h", "--env"
    ).stdout.split()
    found = dict(pair.split("=", 1) for pair in exports if "=" in pair)
    assert found["HF_ENDPOINT"] == endpoint(account)
    answer = client(tmp_path, found["HF_ENDPOINT"], found["HF_TOKEN"], f"""
folder = snapshot_download({TINY!r})
answer["files"] = sorted(os.path.relpath(os.path.join(at, name), folder) for at, _, names in os.walk(folder) for name in names)
answer["folder"] = folder
answer["listed"] = sorted(api.list_repo_files({TINY!r}))
info = api.model_info({IRIS!r}, files_metadata=True)
answer["sha"] = info.sha
answer["sizes"] = {{one.rfilename: one.size for one in info.siblings}}
answer["tags"] = info.tags
answer["one"] = hf_hub_download({IRIS!r}, "config.json", revision="1.1.0")
answer["by_commit"] = open(hf_hub_download({IRIS!r}, "config.json", revision=info.sha)).read()
answer["refs"] = {{one.name: one.target_commit for one in api.list_repo_refs({IRIS!r}).tags}}
answer["exists"] = [api.file_exists({IRIS!r}, "model.onnx"), api.file_exists({IRIS!r}, "nothing.bin"), api.repo_exists("nobody")]
answer["models"] = sorted(one.id for one in api.list_models())
answer["search"] = [one.id for one in api.list_models(search="iris")]
answer["filtered"] = [one.id for one in api.list_models(pipeline_tag="text-generation", gated=False)]
answer["me"] = api.whoami()["fullname"]
""")
    wanted = artifact(TINY)
    assert answer["files"] == sorted([*wanted, "README.md"]) == answer["listed"]
    for name, content in wanted.items():
        with open(os.path.join(answer["folder"], name), "rb") as file:
            assert file.read() == content, name
    # The commit is the folder's name, the blobs' names are their digests.
    assert len(os.path.basename(answer["folder"])) == 40
    blobs = os.path.join(os.path.dirname(os.path.dirname(answer["folder"])), "blobs")
    assert {hashlib.sha256(content).hexdigest() for content in wanted.values()} <= set(os.listdir(blobs))
    iris = artifact(IRIS, "1.1.0")
    assert answer["sizes"]["model.onnx"] == len(iris["model.onnx"])
    assert answer["by_commit"].encode() == iris["config.json"]
    assert set(answer["refs"]) == {"1.0.0", "1.1.0"} and answer["refs"]["1.1.0"] == answer["sha"]
    assert answer["exists"] == [True, False, False]
    assert answer["models"] == sorted([IRIS, TINY, GATED])
    assert answer["search"] == [IRIS] and answer["filtered"] == [TINY]
    assert "license:" in " ".join(answer["tags"])
    assert answer["me"] == f"arn:aws:iam::{account.id}:root"


def test_the_public_hub_has_an_endpoint_too(server, account, tmp_path):
    user = account.new_user("reader", allow("sagemaker:*"), allow("stoa:*"))
    answer = client(tmp_path, endpoint(account, "SageMakerPublicHub", "aws"), token(server, tmp_path, user), f"""
answer["commits"] = [api.model_info({IRIS!r}, revision=revision).sha for revision in ("main", "1.0.0", "1.1.0", "v1.1.0")]
answer["missing"] = told(lambda: api.model_info({IRIS!r}, revision="9.9.9").sha)
answer["file"] = told(lambda: hf_hub_download({IRIS!r}, "nothing.bin"))
answer["repository"] = told(lambda: hf_hub_download("org/nobody", "config.json"))
""")
    main, old, new, tagged = answer["commits"]
    assert main == new == tagged != old
    assert answer["missing"][0] == "RevisionNotFoundError"
    assert answer["file"][0] == "RemoteEntryNotFoundError"
    assert answer["repository"][0] == "RepositoryNotFoundError"


def test_policy_decides_and_the_journal_tells(server, account, hub, tmp_path):
    see = account.new_user(
        "see", allow(["sagemaker:DescribeHubContent", "sagemaker:ListHubContents", "stoa:CreateHuggingFaceToken"])
    )
    code = f"""
answer["info"] = told(lambda: api.model_info({IRIS!r}).sha)
answer["bytes"] = told(lambda: hf_hub_download({IRIS!r}, "config.json"))
"""
    answer = client(tmp_path, endpoint(account), token(server, tmp_path, see), code)
    assert answer["info"][0] == "ok"
    kind, message = answer["bytes"]
    assert kind == "GatedRepoError" and "sagemaker:CreateHubContentPresignedUrls" in message, message
    blind = account.new_user("blind", allow("stoa:*"), allow("sagemaker:*"), deny("sagemaker:DescribeHubContent"))
    answer = client(tmp_path, endpoint(account), token(server, tmp_path, blind), code, "blind")
    kind, message = answer["info"]
    assert kind == "GatedRepoError" and "explicit deny" in message, message
    # The same actions as by boto3, recorded as the same operations, with the request beside them.
    records = server.records("--event", "CreateHubContentPresignedUrls")
    ours = [record for record in records if record["userIdentity"].get("userName") == "see"]
    assert ours and all(record["errorCode"] == "AccessDenied" for record in ours)
    assert ours[0]["eventSource"] == "sagemaker.amazonaws.com"
    assert ours[0]["requestParameters"]["hubContentName"] == IRIS
    asked = f"/{IRIS}/resolve/main/config.json"
    assert {record["additionalEventData"]["huggingFaceRequest"] for record in ours} == {f"HEAD {asked}"}
    with refused("AccessDeniedException", "sagemaker:CreateHubContentPresignedUrls"):
        see.client("sagemaker").create_hub_content_presigned_urls(
            HubName="h", HubContentType="ModelReference", HubContentName=IRIS
        )


def test_a_gated_model_wants_an_accepted_eula(server, account, hub, tmp_path):
    code = f"""
answer["gated"] = api.model_info({GATED!r}).gated
answer["bytes"] = told(lambda: open(hf_hub_download({GATED!r}, "config.json")).read())
"""
    answer = client(tmp_path, endpoint(account), token(server, tmp_path, account), code)
    assert answer["gated"] == "manual"
    kind, message = answer["bytes"]
    assert kind == "GatedRepoError" and "EULA" in message, message
    accepted = token(server, tmp_path, account, "--accept-eula", GATED)
    answer = client(tmp_path, endpoint(account), accepted, code, "accepted")
    assert answer["bytes"] == ["ok", artifact(GATED)["config.json"].decode()]
    records = server.records("--event", "CreateHubContentPresignedUrls")
    ours = [record for record in records if record["requestParameters"]["hubContentName"] == GATED]
    assert any(record["requestParameters"].get("accessConfig") == {"acceptEula": True} for record in ours)


def get(url, given=None, method="GET", **headers):
    if given is not None:
        headers["Authorization"] = f"Bearer {given}"
    return requests.request(method, url, headers=headers, timeout=30, proxies=NO_PROXIES)


def test_tokens_end_with_what_is_behind_them(server, account, hub, tmp_path):
    url = f"{endpoint(account)}/api/models/{IRIS}"
    for bad in (None, "", "hf_x", "hf_stoa-sealed.2.aa.bb.cc.dd", "x" * 3000):
        answer = get(url, bad)
        assert answer.status_code == 401, bad
    user = account.new_user("u", allow("*"))
    made = token(server, tmp_path, user)
    assert get(url, made).status_code == 200
    assert get(url, made[:-2] + "xx").status_code == 401
    # The very sealed text of another purpose opens nothing.
    session = user.client("sts").get_session_token()["Credentials"]["SessionToken"]
    assert get(url, f"hf_{session}").status_code == 401
    iam = account.client("iam")
    iam.update_access_key(UserName="u", AccessKeyId=user.key, Status="Inactive")
    assert get(url, made).status_code == 401
    iam.update_access_key(UserName="u", AccessKeyId=user.key, Status="Active")
    assert get(url, made).status_code == 200
    # A role's session: the principal is the session, and its end is the token's.
    role = account.new_role("Reader", allow(["sagemaker:DescribeHubContent", "stoa:*"]))
    session = account.new_user("assumer", allow("sts:AssumeRole")).assume(role)
    made = token(server, tmp_path, session)
    assert get(url, made).status_code == 200
    newest = server.records("--event", "DescribeHubContent")[-1]
    assert newest["userIdentity"]["arn"].endswith(":assumed-role/Reader/e2e")
    iam.delete_role_policy(RoleName="Reader", PolicyName="p0")
    assert get(url, made).status_code == 403
    iam.delete_role(RoleName="Reader")
    assert get(url, made).status_code == 401
    # One hub only.
    account.client("sagemaker").create_hub(HubName="other", HubDescription="d")
    only = token(server, tmp_path, account, "--hub", "other")
    answer = get(url, only)
    assert answer.status_code == 401 and "alone" in answer.json()["error"]
    assert get(f"{endpoint(account, 'other')}/api/models", only).status_code == 200
    # Neither token nor secret is in the journal.
    text = "\n".join(map(json.dumps, server.records()))
    assert made not in text and only not in text and user.secret not in text


def test_the_operation_has_limits(account):
    import botocore.session
    from botocore.config import Config
    from botocore.loaders import Loader

    from support import ROOT

    session = botocore.session.Session()
    session.register_component("data_loader", Loader(extra_search_paths=[str(ROOT / "docs/api")]))
    session.set_credentials(account.key, account.secret)
    config = Config(parameter_validation=False, proxies=NO_PROXIES)
    client = session.create_client("stoa", region_name=REGION, endpoint_url=account.server.url, config=config)
    made = client.create_hugging_face_token(DurationSeconds=900, HubName="h")
    assert made["HubArn"] == account.arn("hub/h") and made["Token"].startswith("hf_")
    for name in ("a/b", "arn:aws:iam::1:hub/h", "arn:aws:sagemaker:us-west-2:1:endpoint/h"):
        with refused("ValidationException", "HubName"):
            client.create_hugging_face_token(HubName=name)
    with refused("ValidationException"):
        client.create_hugging_face_token(DurationSeconds=899)
    with refused("ValidationException"):
        client.create_hugging_face_token(DurationSeconds=129601)


def test_files_by_range_and_headers(server, account, hub, tmp_path):
    made = token(server, tmp_path, account)
    url = f"{endpoint(account)}/{TINY}/resolve/main/model.onnx"
    content = artifact(TINY)["model.onnx"]
    digest = hashlib.sha256(content).hexdigest()
    head = get(url, made, "HEAD")
    assert head.status_code == 200 and head.content == b""
    assert head.headers["ETag"] == f'"{digest}"' == head.headers["X-Linked-Etag"]
    assert int(head.headers["Content-Length"]) == int(head.headers["X-Linked-Size"]) == len(content)
    assert len(head.headers["X-Repo-Commit"]) == 40
    part = get(url, made, Range="bytes=10-19")
    assert part.status_code == 206 and part.content == content[10:20]
    assert part.headers["Content-Range"] == f"bytes 10-19/{len(content)}"
    assert get(url, made, Range="bytes=-7").content == content[-7:]
    assert get(url, made, Range=f"bytes={len(content)}-").status_code == 416
    assert get(url, made, **{"If-None-Match": f'"{digest}"'}).status_code == 304
    for path in ("../../etc/passwd", "..%2F..%2Fetc%2Fpasswd", "%2Fetc%2Fpasswd", "model.onnx/", "MODEL.onnx"):
        answer = get(f"{endpoint(account)}/{TINY}/resolve/main/{path}", made)
        assert answer.status_code == 404, path
    assert get(f"{endpoint(account)}/{TINY}/resolve/main/x", made).headers["X-Error-Code"] == "EntryNotFound"
    assert get(f"{endpoint(account)}/{TINY}/resolve/none/x", made).headers["X-Error-Code"] == "RevisionNotFound"
    assert get(f"{endpoint(account)}/nobody/resolve/main/x", made).headers["X-Error-Code"] == "RepoNotFound"
    assert get(f"{endpoint(account, 'nobody')}/api/models", made).headers["X-Error-Code"] == "RepoNotFound"
    for method, path in [("POST", "/api/repos/create"), ("DELETE", f"/api/models/{TINY}"), ("PUT", f"/{TINY}/resolve/main/x"),
                         ("POST", f"/api/models/{TINY}/commit/main"), ("GET", "/api/datasets/x"), ("GET", "/")]:
        answer = get(endpoint(account) + path, made, method)
        assert answer.status_code == 404 and "not part of the read API" in answer.json()["error"], (method, path)
    # `hf` is no bucket's name, and a signed request for such a key is S3's business.
    assert account.client("s3").list_buckets()["Buckets"] == []
    unknown = server.records("--event", "Unknown")
    assert any(record["additionalEventData"]["huggingFaceRequest"] == "DELETE /api/models/" + TINY for record in unknown)


def test_a_hub_of_another_account_is_not_told_of(server, account, hub, tmp_path):
    stranger = server.new_account("stranger")
    made = token(server, tmp_path, stranger)
    answer = get(f"{endpoint(account)}/api/models/{IRIS}", made)
    assert answer.status_code in (403, 404)
    assert IRIS not in json.dumps([one for one in get(f"{endpoint(account)}/api/models", made).json() if one != "error"])


def test_transformers_loads_what_was_imported_from_a_repository(server, account, tmp_path):
    """A repository goes in from disk, is referenced, and comes out by its own name: configuration and tokenizer load."""
    folder = tmp_path / "repository"
    folder.mkdir()
    header = b'{"w":{"dtype":"BF16","shape":[4,8],"data_offsets":[0,64]}}'
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(64))
    (folder / "README.md").write_text(
        "---\nlicense: apache-2.0\nlanguage: [en]\npipeline_tag: text-generation\nlibrary_name: transformers\n"
        "base_model: acme/base\n---\n# Tiny\n\nA tiny one.\n"
    )
    (folder / "config.json").write_text(json.dumps({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 16, "vocab_size": 300,
        "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32,
    }))
    (folder / "tokenizer.json").write_bytes(artifact(TINY)["tokenizer.json"])
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"}))
    model = f"huggingface-textgeneration-tiny{account.id}"
    server.command("catalog", "import-hf", folder, "--id", model, "--repository", f"acme/tiny-{account.id}")
    sagemaker = account.client("sagemaker")
    sagemaker.create_hub(HubName="h", HubDescription="d")
    source = f"arn:aws:sagemaker:{REGION}:aws:hub-content/SageMakerPublicHub/Model/{model}"
    sagemaker.create_hub_content_reference(HubName="h", SageMakerPublicHubContentArn=source, HubContentName="ours")
    user = account.new_user("scientist", allow(["sagemaker:*HubContent*", "sagemaker:*HubContents", "stoa:*"]))
    answer = client(tmp_path, endpoint(account), token(server, tmp_path, user), f"""
from transformers import AutoConfig, AutoTokenizer
name = "acme/tiny-{account.id}"
answer["hidden"] = AutoConfig.from_pretrained(name).hidden_size
answer["by_content"] = AutoConfig.from_pretrained("ours").hidden_size
tokenizer = AutoTokenizer.from_pretrained(name)
answer["tokens"] = len(tokenizer("Mira the miller lived")["input_ids"])
info = api.model_info(name)
answer["info"] = [info.pipeline_tag, info.library_name, info.safetensors.total, info.card_data.license, info.author]
answer["found"] = [one.id for one in api.list_models(author="acme", filter="license:apache-2.0")]
answer["readme"] = open(hf_hub_download(name, "README.md")).read()
from huggingface_hub import get_safetensors_metadata
answer["parameters"] = get_safetensors_metadata(name).parameter_count
""")
    assert answer["hidden"] == answer["by_content"] == 16
    assert answer["tokens"] > 0
    assert answer["info"] == ["text-generation", "transformers", 32, "apache-2.0", "acme"]
    assert answer["found"] == [f"acme/tiny-{account.id}"]
    assert answer["readme"].startswith("---\nlicense: apache-2.0"), "as its author wrote it"
    assert answer["parameters"] == {"BF16": 32}


def test_an_imported_model_is_read_by_the_callers_own_rights(server, account, hub, tmp_path):
    s3 = account.client("s3")
    bucket = f"own-{account.id}"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=bucket, Key="m/config.json", Body=b'{"a": 1}')
    hub.import_hub_content(
        HubName="h", HubContentType="Model", HubContentName="own", DocumentSchemaVersion="2.3.0",
        HubContentMarkdown="# Own\n", HubContentDocument=own_document(f"s3://{bucket}/m/"),
    )
    code = """
answer["files"] = told(lambda: sorted(api.list_repo_files("own")))
answer["bytes"] = told(lambda: open(hf_hub_download("own", "config.json")).read())
"""
    answer = client(tmp_path, endpoint(account), token(server, tmp_path, account), code)
    assert answer["files"] == ["ok", ["README.md", "config.json"]]
    assert answer["bytes"] == ["ok", '{"a": 1}']
    user = account.new_user("hubonly", allow("sagemaker:*"), allow("stoa:*"))
    answer = client(tmp_path, endpoint(account), token(server, tmp_path, user), code, "hubonly")
    for kind, message in answer.values():
        assert kind == "GatedRepoError" and "s3:ListBucket" in message, message
    denied = [record for record in server.records("--event", "DescribeHubContent") if record.get("errorCode") == "AccessDenied"]
    assert any("s3:ListBucket" in record["errorMessage"] for record in denied)
