"""Governed hubs: settings by API and command, filtered lists, and references that follow their source.

New versions and marks come into the public hub as an operator brings them: `stoa catalog import`.
"""

import json
import shutil

import pytest

from support import GATED, IRIS, PUBLIC_HUB, REGION, SAMPLES, TINY, allow, contents_of, policy, refused, statement
from test_insight import stoa

PUBLIC_ARN = f"arn:aws:sagemaker:{REGION}:aws:hub-content/{PUBLIC_HUB}/Model"
OFF = {"FilterLists": False, "WithholdDeprecated": False, "WithholdVulnerable": False, "RevokeUrls": False}


@pytest.fixture
def sm(account):
    return account.client("sagemaker")


def refer(sm, hub, *names, **more):
    for name in names:
        sm.create_hub_content_reference(HubName=hub, SageMakerPublicHubContentArn=f"{PUBLIC_ARN}/{name}", **more)


def new_hub(sm, hub, *names):
    sm.create_hub(HubName=hub, HubDescription="d")
    refer(sm, hub, *names)


def names(sm, hub, **more):
    listed = sm.list_hub_contents(HubName=hub, HubContentType="ModelReference", **more)
    return sorted(one["HubContentName"] for one in listed["HubContentSummaries"])


def versions(sm, hub, name, kind="ModelReference"):
    listed = sm.list_hub_content_versions(HubName=hub, HubContentType=kind, HubContentName=name)
    return sorted(one["HubContentVersion"] for one in listed["HubContentSummaries"])


class Folder:
    """A model folder made of the iris sample, to be imported as other models and versions of it."""

    def __init__(self, server, root, name):
        self.server, self.root, self.id = server, root, f"acme-tabularclassification-{name}"

    def write(self, version, **change):
        folder = self.root / self.id / version
        if not folder.exists():
            shutil.copytree(SAMPLES / IRIS / "1.1.0", folder)
        path = folder / "manifest.json"
        manifest = json.loads(path.read_text())
        manifest.update(id=self.id, version=version, framework="acme", **change)
        path.write_text(json.dumps({key: value for key, value in manifest.items() if value is not None}))
        return folder

    def put(self, version, **change):
        return json.loads(self.server.command("catalog", "import", self.write(version, **change)).stdout)


@pytest.fixture
def folder(server, tmp_path, request):
    return Folder(server, tmp_path, request.node.name.replace("_", "-")[5:25].strip("-"))


# ---- settings -------------------------------------------------------------------------------------------------------


def test_settings_by_api(server, account, sm):
    new_hub(sm, "h")
    client = stoa(account)
    assert client.describe_hub_settings(HubName="h")["Settings"] == OFF
    arn = account.arn("hub/h")
    put = client.put_hub_settings(HubName=arn, Settings={"FilterLists": True})
    assert (put["HubArn"], put["Settings"]) == (arn, {**OFF, "FilterLists": True})
    client.put_hub_settings(HubName="h", Settings={"RevokeUrls": True})
    wanted = {**OFF, "FilterLists": True, "RevokeUrls": True}
    assert client.describe_hub_settings(HubName="h")["Settings"] == wanted, "what is not named stays"
    sm.update_hub(HubName="h", HubDescription="other")
    assert client.describe_hub_settings(HubName="h")["Settings"] == wanted
    with refused("ResourceNotFoundException", "nobody"):
        client.describe_hub_settings(HubName="nobody")
    # The public hub is nobody's.
    with refused("AccessDeniedException", PUBLIC_HUB):
        client.put_hub_settings(HubName=PUBLIC_HUB, Settings={"FilterLists": True})
    # A right of its own, on the hub; and another account's hub is none of one's business.
    reader = account.new_user("reader", allow(["sagemaker:*", "stoa:DescribeHubSettings"], arn))
    assert stoa(reader).describe_hub_settings(HubName="h")["Settings"] == wanted
    with refused("AccessDeniedException", "stoa:PutHubSettings", arn):
        stoa(reader).put_hub_settings(HubName="h", Settings={"FilterLists": False})
    with refused("AccessDeniedException", "stoa:DescribeHubSettings"):
        stoa(server.new_account("settings-other")).describe_hub_settings(HubName=arn)
    records = server.records("--event", "PutHubSettings")
    mine = [one for one in records if one["userIdentity"]["accountId"] == account.id]
    assert {one.get("errorCode", "") for one in mine} == {"", "AccessDenied"}
    # Made again, the hub has none of them.
    sm.delete_hub(HubName="h")
    new_hub(sm, "h")
    assert client.describe_hub_settings(HubName="h")["Settings"] == OFF


def test_settings_by_command(server, account, sm):
    new_hub(sm, "h")
    arn = account.arn("hub/h")
    shown = server.command("hub", "settings", "--hub", arn).stdout
    assert shown.splitlines()[0] == arn
    assert all(line.endswith(" off") for line in shown.splitlines()[2:]) and len(shown.splitlines()) == 6
    changed = server.command(
        "hub", "settings", "--hub", arn, "--filter-lists", "on", "--withhold-vulnerable", "on", "--json"
    ).stdout
    wanted = {**OFF, "FilterLists": True, "WithholdVulnerable": True}
    assert json.loads(changed) == wanted
    assert stoa(account).describe_hub_settings(HubName="h")["Settings"] == wanted
    (record,) = server.records("--source", "stoa.local", "--event", "PutHubSettings")
    assert record["requestParameters"]["HubName"] == arn
    gone = server.command("hub", "settings", "--hub", account.arn("hub/nobody"), check=False)
    assert gone.returncode != 0 and "nobody does not exist" in gone.stderr


def test_settings_survive_a_kill(own_server):
    own_server.start()
    account = own_server.new_account()
    sm = account.client("sagemaker")
    new_hub(sm, "h", IRIS)
    stoa(account).put_hub_settings(HubName="h", Settings={"WithholdDeprecated": True})
    own_server.kill()
    own_server.start()
    assert stoa(account).describe_hub_settings(HubName="h")["Settings"] == {**OFF, "WithholdDeprecated": True}
    assert names(account.client("sagemaker"), "h") == [IRIS]


# ---- filtered lists -------------------------------------------------------------------------------------------------


def test_lists_show_what_may_be_described_where_the_hub_says_so(account, sm):
    for hub in ("h", "other"):
        new_hub(sm, hub, IRIS, TINY, GATED)
    content = account.arn(f"hub-content/h/ModelReference/{TINY}")
    ana = account.new_user("ana", policy(
        statement("Allow", "sagemaker:List*"),
        statement("Allow", ["sagemaker:DescribeHub", "sagemaker:DescribeHubContent"], [account.arn("hub/h"), content]),
    ))
    hers = ana.client("sagemaker")
    assert names(hers, "h") == sorted([IRIS, TINY, GATED]), "as AWS, until the hub says otherwise"
    stoa(account).put_hub_settings(HubName="h", Settings={"FilterLists": True})
    assert names(hers, "h") == [TINY]
    assert names(sm, "h") == sorted([IRIS, TINY, GATED])
    assert names(hers, "other") == sorted([IRIS, TINY, GATED])
    page = hers.list_hub_contents(HubName="h", HubContentType="ModelReference", MaxResults=1)
    assert "NextToken" not in page, "nothing tells of what is hidden"
    said = []
    for name in (IRIS, "nothing-at-all"):
        with refused("ResourceNotFound") as refusal:
            hers.list_hub_content_versions(HubName="h", HubContentType="ModelReference", HubContentName=name)
        said.append(refusal.message.replace(name, "NAME"))
    assert said[0] == said[1], "as if it were not there"
    # What tags decide, lists follow at once.
    iam = account.client("iam")
    iam.put_user_policy(UserName="ana", PolicyName="p1", PolicyDocument=json.dumps(allow(
        "sagemaker:DescribeHubContent", Condition={"StringEquals": {"aws:ResourceTag/team": "red"}}
    )))
    sm.add_tags(ResourceArn=account.arn(f"hub-content/h/ModelReference/{IRIS}"), Tags=[{"Key": "team", "Value": "red"}])
    sm.add_tags(ResourceArn=account.arn("hub/h"), Tags=[{"Key": "team", "Value": "red"}])
    assert names(hers, "h") == sorted([IRIS, TINY])
    # And hubs.
    hubs = lambda: {one["HubName"] for one in hers.list_hubs()["HubSummaries"]}
    assert hubs() == {PUBLIC_HUB, "h", "other"}
    stoa(account).put_hub_settings(HubName="other", Settings={"FilterLists": True})
    assert hubs() == {PUBLIC_HUB, "h"}


# ---- references follow their source -----------------------------------------------------------------------------------


def test_a_new_version_is_in_every_hub_that_refers_to_the_model(account, sm, folder):
    folder.put("1.0.0")
    for hub in ("a", "b"):
        new_hub(sm, hub, folder.id)
    refer(sm, "a", folder.id, HubContentName="alias", MinVersion="1.0.0")
    folder.put("1.1.0")
    folder.put("1.10.0")
    for hub, name in (("a", folder.id), ("b", folder.id), ("a", "alias")):
        assert versions(sm, hub, name) == ["1.0.0", "1.1.0", "1.10.0"]
        latest = sm.describe_hub_content(HubName=hub, HubContentType="ModelReference", HubContentName=name)
        assert latest["HubContentVersion"] == "1.10.0"
        document = json.loads(latest["HubContentDocument"])
        assert document["HostingArtifactUri"].startswith("s3://jumpstart-cache-prod-"), "no artifact is copied"
    sm.update_hub_content_reference(
        HubName="b", HubContentType="ModelReference", HubContentName=folder.id, MinVersion="1.1.0"
    )
    assert versions(sm, "b", folder.id) == ["1.1.0", "1.10.0"]
    (listed,) = contents_of(sm, "b", "ModelReference")
    assert listed["HubContentVersion"] == "1.10.0"
    assert listed["OriginalCreationTime"] <= listed["CreationTime"]


def test_marked_versions_are_shown_as_such_and_withheld_by_setting(account, sm, folder):
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        folder.put(version)
    for hub in ("open", "strict"):
        new_hub(sm, hub, folder.id)
    settings = {"WithholdDeprecated": True, "WithholdVulnerable": True}
    stoa(account).put_hub_settings(HubName="strict", Settings=settings)
    done = folder.put("1.2.0", vulnerabilities=["CVE-2026-1234"])
    assert (done["imported"], done["marked"]) == ([], [{"id": folder.id, "version": "1.2.0"}])
    folder.put("1.1.0", deprecated="Use 1.0.0.")
    changed = folder.server.command("catalog", "import", folder.write("1.1.0", description="other"), check=False)
    assert changed.returncode != 0 and "new version" in changed.stderr, "the approved content itself never changes"
    folder.write("1.1.0", description=json.loads((SAMPLES / IRIS / "1.1.0" / "manifest.json").read_text())["description"])

    def described(hub, version, kind="ModelReference"):
        return sm.describe_hub_content(
            HubName=hub, HubContentType=kind, HubContentName=folder.id, HubContentVersion=version
        )

    for version, support in (("1.0.0", "Supported"), ("1.1.0", "Deprecated"), ("1.2.0", "Restricted")):
        for hub, kind in ((PUBLIC_HUB, "Model"), ("open", "ModelReference")):
            assert described(hub, version, kind)["SupportStatus"] == support
    listed = {one["HubContentName"]: one for one in contents_of(sm, "open", "ModelReference")}
    assert listed[folder.id]["SupportStatus"] == "Restricted"
    assert versions(sm, "open", folder.id) == ["1.0.0", "1.1.0", "1.2.0"]
    # Withheld: not listed, described, downloaded or deployed.
    assert versions(sm, "strict", folder.id) == ["1.0.0"]
    (shown,) = contents_of(sm, "strict", "ModelReference")
    assert shown["HubContentVersion"] == "1.0.0"
    for version in ("1.1.0", "1.2.0"):
        with refused("ResourceNotFound", version):
            described("strict", version)
        with refused("ResourceNotFound", version):
            sm.create_hub_content_presigned_urls(
                HubName="strict", HubContentType="ModelReference", HubContentName=folder.id, HubContentVersion=version
            )
        document = json.loads(described("open", version)["HubContentDocument"])
        access = {"HubContentArn": account.arn(f"hub-content/strict/ModelReference/{folder.id}/{version}")}
        source = {
            "S3Uri": document["HostingArtifactUri"], "S3DataType": "S3Prefix", "CompressionType": "None",
            "HubAccessConfig": access,
        }
        container = {"Image": document["HostingEcrUri"], "ModelDataSource": {"S3DataSource": source}}
        role = account.new_role(f"Exec-{version}")
        with refused("ResourceNotFound", version):
            sm.create_model(ModelName="withheld", ExecutionRoleArn=role, PrimaryContainer=container)
    with refused("ValidationException", "MinVersion"):
        sm.update_hub_content_reference(
            HubName="strict", HubContentType="ModelReference", HubContentName=folder.id, MinVersion="1.1.0"
        )
    # A mark that is taken back brings the version back.
    folder.put("1.1.0", deprecated=None)
    assert versions(sm, "strict", folder.id) == ["1.0.0", "1.1.0"]
    assert described("strict", "1.1.0")["SupportStatus"] == "Supported"


# ---- tags of contents -------------------------------------------------------------------------------------------------


def test_tags_of_contents(account, sm):
    new_hub(sm, "h", IRIS)
    document = sm.describe_hub_content(HubName=PUBLIC_HUB, HubContentType="Model", HubContentName=IRIS)["HubContentDocument"]
    for version in ("1.0.0", "1.1.0"):
        sm.import_hub_content(
            HubName="h", HubContentName="own", HubContentType="Model", HubContentVersion=version,
            DocumentSchemaVersion="2.3.0", HubContentDocument=document, Tags=[{"Key": "by", "Value": version}],
        )
    own, reference = account.arn("hub-content/h/Model/own"), account.arn(f"hub-content/h/ModelReference/{IRIS}")
    tags = lambda arn: {tag["Key"]: tag["Value"] for tag in sm.list_tags(ResourceArn=arn)["Tags"]}
    assert (tags(own), tags(reference)) == ({"by": "1.1.0"}, {})
    for arn in (own, reference):
        sm.add_tags(ResourceArn=arn, Tags=[{"Key": "team", "Value": "red"}])
        assert tags(arn)["team"] == "red"
    sm.delete_tags(ResourceArn=own, TagKeys=["by"])
    assert tags(own) == {"team": "red"}
    # One version less leaves them, the last one takes them along.
    delete = lambda version: sm.delete_hub_content(
        HubName="h", HubContentType="Model", HubContentName="own", HubContentVersion=version
    )
    delete("1.1.0")
    assert tags(own) == {"team": "red"}
    delete("1.0.0")
    with refused("ValidationException", "Could not find resource"):
        tags(own)
    with refused("ValidationException", "without the version"):
        tags(f"{reference}/1.1.0")
    with refused("ValidationException", "Could not find resource"):
        tags(account.arn("hub-content/h/ModelReference/nothing"))
    sm.delete_hub_content_reference(HubName="h", HubContentType="ModelReference", HubContentName=IRIS)
    refer(sm, "h", IRIS)
    assert tags(reference) == {}, "a new reference has no tags of the old one"
