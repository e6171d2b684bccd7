"""Policies of every kind over the wire: VPC endpoints by listeners of their own, what a refusal tells, what is recorded.

Each persona uses boto3 as it would against AWS: the endpoint URL is that of the VPC endpoint's listener.
"""

import json
import os
import signal
import subprocess
import urllib.error
import urllib.request

import pytest
from botocore.exceptions import ClientError

from conftest import keep_or_remove, new_server
from support import REGION, allow, clean_environment, policy, refused, statement, wait_for

VPC = "vpc-0a1b2c3d"


def open_to(effect, actions, resources="*", **more):
    return {**statement(effect, actions, resources, **more), "Principal": "*"}


POLICIES = {
    "reads": policy(open_to("Allow", ["sagemaker:Describe*", "sagemaker:List*", "sts:*"])),
    "denies": policy(open_to("Deny", "sagemaker:DeleteHub")),
    "both": policy(open_to("Allow", "*"), open_to("Deny", "sagemaker:CreateHub")),
    "bucket": policy(open_to("Allow", "s3:*", ["arn:aws:s3:::inside-*"])),
}


def table(name, policy_file=True, **more):
    lines = ["[[vpc_endpoints]]", f'id = "vpce-{name}"', f'vpc = "{VPC}"', 'listen = "127.0.0.1:0"']
    if policy_file:
        lines.append(f'policy = "{name}.json"')
    return "\n".join(lines + [f"{key} = {json.dumps(value)}" for key, value in more.items()]) + "\n"


@pytest.fixture(scope="module")
def server(request):
    made = new_server(request)
    for name, document in POLICIES.items():
        (made.home / f"{name}.json").write_text(json.dumps(document))
    config = made.home / "stoa.toml"
    tables = [table(name) for name in POLICIES] + [table("open", False), table("one", False, services=["s3"])]
    config.write_text("\n".join(tables))
    made.arguments += ["--config", str(config)]
    made.start()
    yield made
    assert made.running(), made.log_tail()
    assert made.stop() == 0, made.log_tail()
    keep_or_remove(request, made)


def through(server, name):
    """The URL of an endpoint's listener."""
    for line in server.output.read_text().splitlines():
        if line.startswith(f"vpc endpoint vpce-{name} on "):
            return line.rsplit(" ", 1)[1]
    raise AssertionError(f"no line for {name}: {server.output.read_text()}")


def record_of(server, answer):
    """The audit record of the call with this answer."""
    request_id = answer["ResponseMetadata"]["RequestId"]
    (record,) = [one for one in server.records() if one["requestID"] == request_id]
    return record


def test_an_endpoint_policy_limits_what_comes_through(server, account):
    inside = account.client("sagemaker", url=through(server, "reads"))
    assert "HubSummaries" in inside.list_hubs()
    words = "because no VPC endpoint policy allows the sagemaker:CreateHub action"
    with refused("AccessDeniedException", words):
        inside.create_hub(HubName="h", HubDescription="d")
    account.client("sagemaker").create_hub(HubName="h", HubDescription="d")
    assert inside.describe_hub(HubName="h")["HubName"] == "h"
    both = account.client("sagemaker", url=through(server, "both"))
    with refused("AccessDeniedException", "with an explicit deny in a VPC endpoint policy"):
        both.create_hub(HubName="h2", HubDescription="d")
    both.delete_hub(HubName="h")


def test_an_endpoint_policy_of_denials_alone_cuts_everything_off(server, account):
    inside = account.client("sagemaker", url=through(server, "denies"))
    with refused("AccessDeniedException", "because no VPC endpoint policy allows the sagemaker:ListHubs action"):
        inside.list_hubs()
    with refused("AccessDeniedException", "with an explicit deny in a VPC endpoint policy"):
        inside.delete_hub(HubName="h")
    assert "allows nothing" in server.log.read_text()
    found = server.command("doctor", check=False).stdout
    assert any(line.startswith("problem") and "vpce-denies" in line for line in found.splitlines()), found
    assert any(line.startswith("ok") and "vpce-open at http://" in line for line in found.splitlines()), found


def test_conditions_on_where_a_call_comes_from(server, account):
    where = {"StringEquals": {"aws:SourceVpce": "vpce-open", "aws:SourceVpc": VPC}, "Null": {"aws:SourceIp": "true"}}
    user = account.new_user("vera", policy(statement("Allow", "sagemaker:ListHubs", Condition=where)))
    inside = user.client("sagemaker", url=through(server, "open"))
    assert "HubSummaries" in inside.list_hubs()
    words = "because no identity-based policy allows the sagemaker:ListHubs action"
    for elsewhere in (server.url, through(server, "reads")):
        with refused("AccessDeniedException", words):
            user.client("sagemaker", url=elsewhere).list_hubs()
    office = {"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}
    user = account.new_user("otto", policy(statement("Allow", "sagemaker:ListHubs", Condition=office)))
    assert "HubSummaries" in user.client("sagemaker").list_hubs()
    with refused("AccessDeniedException", words):
        user.client("sagemaker", url=through(server, "open")).list_hubs()
    inside = {"IpAddress": {"aws:VpcSourceIp": "127.0.0.0/8"}}
    user = account.new_user("ines", policy(statement("Allow", "sagemaker:ListHubs", Condition=inside)))
    assert "HubSummaries" in user.client("sagemaker", url=through(server, "open")).list_hubs()
    with refused("AccessDeniedException", words):
        user.client("sagemaker").list_hubs()


def test_no_header_makes_an_endpoint(server, account):
    where = {"StringEquals": {"aws:SourceVpce": "vpce-open"}}
    user = account.new_user("ede", policy(statement("Allow", "sagemaker:ListHubs", Condition=where)))
    client = user.client("sagemaker")

    def forge(request, **_):
        for name in ("x-amz-source-vpce", "x-forwarded-for", "x-amz-vpce-id", "aws-source-vpce"):
            request.headers[name] = "vpce-open"

    client.meta.events.register("before-sign.sagemaker", forge)
    with refused("AccessDeniedException"):
        client.list_hubs()


def test_s3_through_an_endpoint(server, account):
    outside, inside = account.client("s3"), account.client("s3", url=through(server, "bucket"))
    region = {"LocationConstraint": REGION}
    for bucket in (f"inside-{account.id}", f"outside-{account.id}"):
        outside.create_bucket(Bucket=bucket, CreateBucketConfiguration=region)
        outside.put_object(Bucket=bucket, Key="k", Body=b"bytes")
    assert inside.get_object(Bucket=f"inside-{account.id}", Key="k")["Body"].read() == b"bytes"
    with refused("AccessDenied", "because no VPC endpoint policy allows the s3:GetObject action", status=403) as denied:
        inside.get_object(Bucket=f"outside-{account.id}", Key="k")
    headers = denied.error["ResponseMetadata"]["HTTPHeaders"]
    assert headers["x-stoa-decision-id"] == denied.error["ResponseMetadata"]["RequestId"]
    record = record_of(server, denied.error)
    assert record["vpcEndpointId"] == "vpce-bucket"
    # A presigned URL is bound by the endpoint it is fetched through.
    url = inside.generate_presigned_url("get_object", Params={"Bucket": f"outside-{account.id}", "Key": "k"})
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(url)
    assert error.value.code == 403
    url = outside.generate_presigned_url("get_object", Params={"Bucket": f"outside-{account.id}", "Key": "k"})
    assert urllib.request.urlopen(url).read() == b"bytes"


def test_an_endpoint_leads_only_to_its_services(server, account):
    url = through(server, "one")
    assert account.client("s3", url=url).list_buckets()["Buckets"] == []
    with refused("UnknownOperationException", "the VPC endpoint `vpce-one` does not lead to the service `sagemaker`"):
        account.client("sagemaker", url=url).list_hubs()
    assert urllib.request.urlopen(f"{url}/health").status == 200


def test_what_a_refusal_tells_and_what_is_recorded(server, account):
    user = account.new_user("nora", allow("sagemaker:CreateModel"))
    client = user.client("sagemaker")
    role = account.new_role("Exec")
    container = {"Image": "x", "ModelDataUrl": "s3://b/k"}
    words = f"is not authorized to perform: iam:PassRole on resource: {role} because no identity-based policy allows"
    with refused("AccessDeniedException", words) as denied:
        client.create_model(ModelName="m", ExecutionRoleArn=role, PrimaryContainer=container)
    metadata = denied.error["ResponseMetadata"]
    assert metadata["HTTPHeaders"]["x-stoa-decision-id"] == metadata["RequestId"]
    sealed = metadata["HTTPHeaders"]["x-stoa-authorization-message"]
    assert len(sealed) < 4096 and "PassRole" not in sealed
    record = record_of(server, denied.error)
    told = record["additionalEventData"]
    assert told["stoaRefusal"]["action"] == "iam:PassRole"
    assert told["stoaRefusal"]["requestedBy"] == "sagemaker:CreateModel"
    decision = told["stoaDecision"]
    assert decision["id"] == metadata["RequestId"] == record["requestID"]
    assert decision["principalArn"] == f"arn:aws:iam::{account.id}:user/nora"
    assert decision["global"]["aws:username"] == "nora"
    assert decision["global"]["aws:principalorgid"].startswith("o-")
    first, second = decision["targets"]
    assert (first["action"], first["effect"]) == ("sagemaker:CreateModel", "allow")
    assert (second["action"], second["effect"], second["dependent"]) == ("iam:PassRole", "implicit_deny", True)
    assert second["keys"]["iam:passedtoservice"] == "sagemaker.amazonaws.com"


def test_an_allowed_call_is_recorded_with_its_decision(server, account):
    tags = [{"Key": "team", "Value": "ml"}]
    made = account.client("sagemaker").create_hub(HubName="rec", HubDescription="d", Tags=tags)
    record = record_of(server, made)
    targets = record["additionalEventData"]["stoaDecision"]["targets"]
    assert [one["action"] for one in targets] == ["sagemaker:CreateHub", "sagemaker:AddTags"]
    assert targets[1]["keys"]["sagemaker:taggingaction"] == "CreateHub"
    assert targets[0]["keys"]["aws:resourceaccount"] == account.id
    assert {one["effect"] for one in targets} == {"allow"}


def test_members_of_the_organization_are_known_by_their_keys(server, account):
    listed = record_of(server, account.client("sagemaker").list_hubs())
    organization = listed["additionalEventData"]["stoaDecision"]["global"]["aws:principalorgid"]
    ours = {"StringEquals": {"aws:PrincipalOrgID": organization, "aws:ResourceOrgID": organization}}
    theirs = {"StringEquals": {"aws:PrincipalOrgID": "o-elsewhere"}}
    hub = account.arn("hub/*")
    one = account.new_user("one", policy(statement("Allow", "sagemaker:DescribeHub", hub, Condition=ours)))
    two = account.new_user("two", policy(statement("Allow", "sagemaker:DescribeHub", hub, Condition=theirs)))
    account.client("sagemaker").create_hub(HubName="org", HubDescription="d")
    assert one.client("sagemaker").describe_hub(HubName="org")["HubName"] == "org"
    with refused("AccessDeniedException"):
        two.client("sagemaker").describe_hub(HubName="org")


def told_of(call, name):
    """What the refusal of a call says, with the name of the resource taken out."""
    with pytest.raises(ClientError) as error:
        call()
    told = error.value.response["Error"]
    return told["Code"], told.get("Message", "").replace(name, "NAME")


def test_what_a_caller_may_not_see_does_not_exist_for_it(server, account):
    role = account.new_role("There")
    sagemaker, iam, s3 = account.clients("sagemaker", "iam", "s3")
    sagemaker.create_hub(HubName="there", HubDescription="d")
    iam.create_user(UserName="there")
    iam.create_policy(PolicyName="there", PolicyDocument=json.dumps(allow("s3:*")))
    bucket = f"leak-{account.id}"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=bucket, Key="there", Body=b"")
    nobody = account.new_user("nobody")
    sagemaker, runtime, iam, sts, s3 = nobody.clients("sagemaker", "sagemaker-runtime", "iam", "sts", "s3")
    content = {"HubContentType": "Model", "HubContentName": "c"}
    calls = {
        "describe_hub": lambda name: sagemaker.describe_hub(HubName=name),
        "delete_hub": lambda name: sagemaker.delete_hub(HubName=name),
        "update_hub": lambda name: sagemaker.update_hub(HubName=name, HubDescription="x"),
        "list_hub_contents": lambda name: sagemaker.list_hub_contents(HubName=name, HubContentType="Model"),
        "describe_hub_content": lambda name: sagemaker.describe_hub_content(HubName=name, **content),
        "list_tags": lambda name: sagemaker.list_tags(ResourceArn=account.arn(f"hub/{name}")),
        "add_tags": lambda name: sagemaker.add_tags(ResourceArn=account.arn(f"hub/{name}"), Tags=[]),
        "describe_endpoint_config": lambda name: sagemaker.describe_endpoint_config(EndpointConfigName=name),
        "invoke_endpoint": lambda name: runtime.invoke_endpoint(EndpointName=name, Body=b""),
        "get_user": lambda name: iam.get_user(UserName=name),
        "delete_user": lambda name: iam.delete_user(UserName=name),
        "get_policy": lambda name: iam.get_policy(PolicyArn=f"arn:aws:iam::{account.id}:policy/{name}"),
        "get_role": lambda name: iam.get_role(RoleName=name),
        "assume_role": lambda name: sts.assume_role(RoleArn=role.replace("There", name), RoleSessionName="s1"),
        "get_object": lambda name: s3.get_object(Bucket=bucket, Key=name),
        "delete_object": lambda name: s3.delete_object(Bucket=bucket, Key=name),
    }
    for operation, call in calls.items():
        there = "There" if operation in ("get_role", "assume_role") else "there"
        one, other = told_of(lambda: call(there), there), told_of(lambda: call("absent"), "absent")
        assert one == other, operation
        assert one[0].startswith("AccessDenied"), (operation, one)


def test_a_policy_is_read_again_on_hangup_and_a_bad_one_is_not_taken(server, account):
    user = account.client("sagemaker", url=through(server, "both"))
    path = server.home / "both.json"
    with refused("AccessDeniedException"):
        user.create_hub(HubName="late", HubDescription="d")
    path.write_text(json.dumps(policy(open_to("Allow", "*"))))
    os.kill(server.process.pid, signal.SIGHUP)
    wait_for("the policy is read again", lambda: "were read again" in server.log.read_text())
    user.create_hub(HubName="late", HubDescription="d")
    path.write_text("{")
    os.kill(server.process.pid, signal.SIGHUP)
    wait_for("the bad policy is told", lambda: "keeps its former policy" in server.log.read_text())
    user.delete_hub(HubName="late")


def test_a_bad_endpoint_ends_the_start_with_its_place(request, own_server):
    bad = policy({"Effect": "Allow", "Principal": "*", "Action": "sagemaker:*"})
    (own_server.home / "x.json").write_text(json.dumps(bad))
    config = own_server.home / "stoa.toml"
    command = [own_server.binary, "serve", "--data-dir", str(own_server.data_dir), "--listen", "127.0.0.1:0"]

    def start(text):
        config.write_text(text)
        done = subprocess.run(
            [*command, "--config", str(config)], capture_output=True, text=True, timeout=60, env=clean_environment()
        )
        assert done.returncode != 0
        return done.stderr

    told = start(table("x"))
    assert "x.json is malformed" in told and "$.Statement[0]" in told, told
    told = start(table("y", False, services=["quantum"]))
    assert "no such services: quantum" in told, told
