"""One answer to who may read an object, whichever way the bytes go out: download URLs of hubs, the Hugging Face API, and
containers; and URLs that open the bytes which they were made for."""

import json
import shutil

import pytest
import requests

from support import GATED, NO_PROXIES, REGION, SAMPLES, allow, create_endpoint, deny, endpoint_status, policy, refused, statement
from test_admission import sign_key
from test_huggingface import endpoint, token
from test_huggingface import get as hf_get
from test_insight import stoa
from test_presigned import import_own
from test_ram import accept, share_of, standalone

OWN = {"HubName": "h", "HubContentType": "Model", "HubContentName": "own"}


def get(url):
    return requests.get(url, timeout=30, proxies=NO_PROXIES)


def urls(account, **asked):
    return [one["Url"] for one in account.client("sagemaker").create_hub_content_presigned_urls(**(asked or OWN))["AuthorizedUrlConfigs"]]


class Site:
    """A bucket with one file, and a hub whose content `own` names it."""

    def __init__(self, account):
        self.account, self.s3 = account, account.client("s3")
        self.bucket = f"reads-{account.id}"
        self.s3.create_bucket(Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        self.put(b"weights")
        self.hub = account.client("sagemaker")
        self.hub.create_hub(HubName="h", HubDescription="d")
        import_own(self.hub, "own", f"s3://{self.bucket}/m/")

    def put(self, body, **more):
        self.s3.put_object(Bucket=self.bucket, Key="m/weights.bin", Body=body, **more)

    def setting(self, value):
        self.account.server.command("hub", "settings", "--hub", self.account.arn("hub/h"), "--revoke-urls", value)


@pytest.fixture
def site(account):
    return Site(account)


def by_hf(server, tmp_path, account, *arguments, model="own", file="weights.bin", owner=None):
    made = token(server, tmp_path, account, *arguments)
    return hf_get(f"{endpoint(account, owner=owner)}/{model}/resolve/main/{file}", made)


def test_the_tags_of_an_object_decide_everywhere(server, account, site, tmp_path):
    tagged = {"StringEquals": {"s3:ExistingObjectTag/level": "open"}}
    rights = policy(
        statement("Allow", ["sagemaker:*", "stoa:*", "s3:ListBucket"]),
        statement("Allow", "s3:GetObject", Condition=tagged),
    )
    user = account.new_user("reader", rights)

    def tag(level):
        site.s3.put_object_tagging(
            Bucket=site.bucket, Key="m/weights.bin", Tagging={"TagSet": [{"Key": "level", "Value": level}]}
        )

    tag("open")
    assert [get(url).content for url in urls(user)] == [b"weights"]
    assert by_hf(server, tmp_path, user).content == b"weights"
    tag("secret")
    with refused("AccessDenied", "s3:GetObject"):
        user.client("s3").get_object(Bucket=site.bucket, Key="m/weights.bin")
    with refused("AccessDeniedException", "s3:GetObject", "m/weights.bin"):
        urls(user)
    answer = by_hf(server, tmp_path, user)
    assert answer.status_code == 403 and "s3:GetObject" in answer.json()["error"]


def test_a_public_bucket_that_is_restricted_lets_no_other_account_in(server, account, site, tmp_path):
    stranger = server.new_account("stranger")
    open_to_all = statement("Allow", "s3:*", [f"arn:aws:s3:::{site.bucket}", f"arn:aws:s3:::{site.bucket}/*"], Principal="*")
    block = {"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": False, "RestrictPublicBuckets": False}

    def restrict(value):
        configuration = {**block, "RestrictPublicBuckets": value}
        site.s3.put_public_access_block(Bucket=site.bucket, PublicAccessBlockConfiguration=configuration)

    restrict(False)
    site.s3.put_bucket_policy(Bucket=site.bucket, Policy=json.dumps(policy(open_to_all)))
    # A hub of the stranger's own whose content names the other account's bucket.
    theirs = stranger.client("sagemaker")
    theirs.create_hub(HubName="h", HubDescription="d")
    import_own(theirs, "own", f"s3://{site.bucket}/m/")
    role = stranger.new_role()
    container = {"Image": "stoa/inference:1", "ModelDataUrl": f"s3://{site.bucket}/m/"}
    assert get(urls(stranger)[0]).content == b"weights"
    assert by_hf(server, tmp_path, stranger).content == b"weights"
    theirs.create_model(ModelName="before", ExecutionRoleArn=role, PrimaryContainer=container)
    restrict(True)
    with refused("AccessDenied", "RestrictPublicBuckets"):
        stranger.client("s3").get_object(Bucket=site.bucket, Key="m/weights.bin")
    with refused("AccessDeniedException", "RestrictPublicBuckets"):
        urls(stranger)
    answer = by_hf(server, tmp_path, stranger)
    assert answer.status_code == 403 and "RestrictPublicBuckets" in answer.json()["error"]
    with refused("ValidationException", "Could not access model data", "RestrictPublicBuckets"):
        theirs.create_model(ModelName="after", ExecutionRoleArn=role, PrimaryContainer=container)
    create_endpoint(theirs, "before")
    reason = endpoint_status(theirs, "before")["FailureReason"]
    assert reason.startswith("Failed to download model data for container") and "RestrictPublicBuckets" in reason
    # The bucket's own account is not kept out.
    assert get(urls(account)[0]).content == b"weights"


def test_a_url_opens_the_bytes_that_it_was_made_for(account, site):
    user = account.new_user("reader", allow(["sagemaker:*", "s3:*"]))
    [url] = urls(user)
    assert len(url) <= 2048 and get(url).content == b"weights"
    site.put(b"WEIGHTS")
    answer = get(url)
    assert answer.status_code == 403 and "written over" in answer.text
    assert get(urls(user)[0]).content == b"WEIGHTS"
    site.put(b"weights")
    assert get(url).content == b"weights"
    # As AWS, by default: the right and the content may go, the URL opens what it opened.
    closed = statement("Deny", "s3:GetObject", f"arn:aws:s3:::{site.bucket}/*", Principal={"AWS": f"arn:aws:iam::{account.id}:user/reader"})
    site.s3.put_bucket_policy(Bucket=site.bucket, Policy=json.dumps(policy(closed)))
    assert get(url).content == b"weights"
    site.setting("on")
    answer = get(url)
    assert answer.status_code == 403 and "revoked" in answer.text and "s3:GetObject" in answer.text
    site.s3.delete_bucket_policy(Bucket=site.bucket)
    assert get(url).content == b"weights"
    site.setting("off")
    site.hub.delete_hub_content(**OWN, HubContentVersion="1.0.0")
    assert get(url).content == b"weights"
    site.s3.delete_object(Bucket=site.bucket, Key="m/weights.bin")
    assert get(url).status_code == 403


def test_a_url_ends_when_the_hub_does_not_let_the_content_out_any_more(account, site):
    [url] = urls(account)
    assert get(url).content == b"weights"
    stoa(account).put_hub_admission_policy(HubName="h", Policy={"SigningKeyId": sign_key(account)})
    answer = get(url)
    assert answer.status_code == 403 and "no genuine signature" in answer.text
    stoa(account).put_hub_admission_policy(HubName="h", Policy={})
    assert get(url).content == b"weights"


def test_what_is_under_a_kms_key_opens_by_the_askers_right_to_it(server, account, site, tmp_path):
    key = account.client("kms").create_key()["KeyMetadata"]["Arn"]
    site.put(b"sealed weights", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    without = account.new_user("without", allow(["sagemaker:*", "s3:*", "stoa:*"]))
    with refused("AccessDeniedException", "kms:Decrypt", key):
        urls(without)
    user = account.new_user("reader", allow(["sagemaker:*", "s3:*", "stoa:*"]), allow("kms:Decrypt", key))
    [url] = urls(user)
    assert get(url).content == b"sealed weights"
    arn = user.client("sts").get_caller_identity()["Arn"]
    download = [one for one in server.records("--event", "GetObject") if one["userIdentity"]["type"] == "AWSService"][-1]
    decided = [(one["action"], one.get("principalArn")) for one in download["additionalEventData"]["stoaDecision"]["targets"]]
    assert ("kms:Decrypt", arn) in decided
    answer = by_hf(server, tmp_path, user)
    assert answer.content == b"sealed weights"
    assert answer.headers["ETag"].startswith('"sealed-'), "no SHA-256 that it is not"
    assert by_hf(server, tmp_path, without).status_code == 403
    account.client("iam").delete_user_policy(UserName="reader", PolicyName="p1")
    answer = get(url)
    assert answer.status_code == 403 and "kms:Decrypt" in answer.text


def licensed(server, tmp_path, model, version, text):
    folder = tmp_path / f"{model}-{version}"
    shutil.copytree(SAMPLES / GATED / "1.0.0", folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest.update(id=model, version=version, framework="acme")
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "EULA.txt").write_text(text)
    server.command("catalog", "import", folder)


def test_a_token_accepts_the_text_that_was_there_when_it_was_made(server, account, tmp_path):
    model, other = "acme-textgeneration-terms", "acme-textgeneration-others"
    licensed(server, tmp_path, model, "1.0.0", "the first terms")
    licensed(server, tmp_path, other, "1.0.0", "other terms")
    sagemaker = account.client("sagemaker")
    sagemaker.create_hub(HubName="h", HubDescription="d")

    def refer(source):
        arn = f"arn:aws:sagemaker:{REGION}:aws:hub-content/SageMakerPublicHub/Model/{source}"
        sagemaker.create_hub_content_reference(HubName="h", SageMakerPublicHubContentArn=arn, HubContentName="ours")

    refer(model)
    made = token(server, tmp_path, account, "--hub", "h", "--accept-eula", "ours")
    file = f"{endpoint(account)}/ours/resolve/main/config.json"
    assert hf_get(file, made).status_code == 200
    licensed(server, tmp_path, model, "1.1.0", "the second terms")
    answer = hf_get(file, made)
    assert answer.status_code == 403 and "EULA" in answer.json()["error"]
    # The version that it was accepted for is still open; a new token is for the new text.
    assert hf_get(file.replace("main", "1.0.0"), made).status_code == 200
    assert by_hf(server, tmp_path, account, "--hub", "h", "--accept-eula", "ours", model="ours", file="config.json").ok
    # Another model under the same name is not accepted by what was said of the first.
    sagemaker.delete_hub_content_reference(HubName="h", HubContentType="ModelReference", HubContentName="ours")
    refer(other)
    assert hf_get(file, made).status_code == 403
    for name, word in [("nobody", "no model called"), (GATED, "no model called")]:
        done = server.command("hf", "token", "--hub", account.arn("hub/h"), "--accept-eula", name, check=False)
        assert done.returncode != 0
    with refused("ValidationException", "no model called nobody"):
        stoa(account).create_hugging_face_token(HubName="h", AcceptedEulas=["nobody"])
    with refused("ValidationException", "not gated"):
        stoa(account).create_hugging_face_token(AcceptedEulas=["sklearn-tabularclassification-iris"])


def test_decisions_about_licences_are_about_models_that_are_there(server, account):
    for decision in ("Accepted", "Forbidden", "Undecided"):
        with refused("ResourceNotFoundException", "nobody"):
            stoa(account).put_eula_decision(ModelName="nobody", Decision=decision)
    done = server.command("eula", "forbid", "nobody", "--account", account.id, check=False)
    assert done.returncode != 0 and "nobody" in done.stderr


def test_records_of_the_hugging_face_api_name_owner_and_source_identity(server, account, site, tmp_path):
    consumer = standalone(server, "consumer")
    share_of(account, account.arn("hub/h"), consumer.id)
    accept(consumer)
    made = token(server, tmp_path, consumer)
    assert hf_get(f"{endpoint(account)}/api/models", made).status_code == 200
    # The caller has the record, and the hub's owner has one of its own.
    for recipient in (consumer, account):
        newest = server.records("--event", "ListHubContents", "--account", recipient.id)[-1]
        assert newest["userIdentity"]["accountId"] == consumer.id and newest["recipientAccountId"] == recipient.id
    # Who stands behind a session is told as everywhere else.
    role = account.new_role("Exec")
    actions = ["sts:AssumeRole", "sts:SetSourceIdentity"]
    root = {"AWS": f"arn:aws:iam::{account.id}:root"}
    trusted = policy({"Effect": "Allow", "Principal": root, "Action": actions})
    account.client("iam").update_assume_role_policy(RoleName="Exec", PolicyDocument=json.dumps(trusted))
    session = account.new_user("jo", allow(actions)).assume(role, SourceIdentity="jo.k")
    assert by_hf(server, tmp_path, session).content == b"weights"
    for event in ("CreateHubContentPresignedUrls", "CreateHuggingFaceToken"):
        newest = server.records("--event", event)[-1]
        assert newest["userIdentity"]["sessionContext"]["attributes"]["sourceIdentity"] == "jo.k", event
    session.client("s3").list_buckets()
    newest = server.records("--event", "ListBuckets")[-1]
    assert newest["userIdentity"]["sessionContext"]["attributes"]["sourceIdentity"] == "jo.k"


def test_each_object_that_a_container_gets_is_decided_then_and_at_the_start(account, site):
    site.s3.put_object(Bucket=site.bucket, Key="m/z/last", Body=b"x")
    site.s3.put_object(Bucket=site.bucket, Key="m/z/", Body=b"")
    iam = account.client("iam")
    role = account.new_role("Exec", allow("s3:*"), deny("s3:GetObject", f"arn:aws:s3:::{site.bucket}/m/z/last"))
    container = {"Image": "stoa/inference:1", "ModelDataUrl": f"s3://{site.bucket}/m/"}
    with refused("ValidationException", "Could not access model data", "m/z/last", "explicit deny"):
        site.hub.create_model(ModelName="m", ExecutionRoleArn=role, PrimaryContainer=container)
    iam.delete_role_policy(RoleName="Exec", PolicyName="p1")
    site.hub.create_model(ModelName="m", ExecutionRoleArn=role, PrimaryContainer=container)
    closed = deny("s3:GetObject", f"arn:aws:s3:::{site.bucket}/m/z/last")
    iam.put_role_policy(RoleName="Exec", PolicyName="p1", PolicyDocument=json.dumps(closed))
    create_endpoint(site.hub, "m")
    described = endpoint_status(site.hub, "m")
    assert described["EndpointStatus"] == "Failed"
    reason = described["FailureReason"]
    assert reason.startswith('Failed to download model data for container "container_1" from URL: ')
    assert "the role passed to CreateModel has permissions to download the object" in reason and "m/z/last" in reason


def test_tokens_and_urls_end_with_the_master_key(own_server, tmp_path):
    server = own_server.start()
    account = server.new_account("keeper")
    Site(account)
    made = token(server, tmp_path, account)
    [url] = urls(account)
    file = f"{endpoint(account)}/own/resolve/main/weights.bin"
    assert get(url).content == hf_get(file, made).content == b"weights"
    before = server.url
    server.stop()
    server.command("keys", "rotate-master")
    server.start()
    assert hf_get(file.replace(before, server.url), made).status_code == 401
    # Under the name that it was signed for: it is the key behind the signature that is gone.
    host = {"Host": before.removeprefix("http://")}
    answer = requests.get(url.replace(before, server.url), headers=host, timeout=30, proxies=NO_PROXIES)
    assert answer.status_code == 400 and "InvalidToken" in answer.text
    assert get(urls(account)[0]).content == by_hf(server, tmp_path, account).content == b"weights"
