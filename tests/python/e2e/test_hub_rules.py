"""Rules of hubs: set by API and command, applied when they change and when the catalog does, and by a server that died."""

import json

import pytest

from support import GATED, IRIS, PUBLIC_HUB, REGION, TINY, allow, contents_of, policy, refused, statement, wait_for
from test_hub_settings import Folder, names, new_hub, versions
from test_insight import stoa

PUBLIC = f"arn:aws:sagemaker:{REGION}:aws:hub-content/{PUBLIC_HUB}/Model"


@pytest.fixture
def sm(account):
    return account.client("sagemaker")


@pytest.fixture
def folder(server, tmp_path, request):
    return Folder(server, tmp_path, request.node.name.replace("_", "-")[5:25].strip("-"))


def applied(account, hub):
    describe = stoa(account).describe_hub_rules
    return wait_for(f"the rules of {hub} are applied", lambda: describe(HubName=hub)["Status"] != "Applying")


def put(account, hub, rules):
    answer = stoa(account).put_hub_rules(HubName=hub, Rules=rules)
    applied(account, hub)
    return answer


def changes(account, hub, **more):
    return stoa(account).list_hub_rule_changes(HubName=hub, MaxResults=100, **more)["Changes"]


def named(contents):
    return sorted(one["HubContentName"] for one in contents)


def test_rules_are_applied_previewed_and_logged(account, sm):
    new_hub(sm, "h", GATED)
    new_hub(sm, "other")
    client = stoa(account)
    assert client.describe_hub_rules(HubName="h")["Status"] == "None"
    rules = "(framework is sklearn or framework is stoa) and size below 20 GB and not gated # approved"
    preview = client.preview_hub_rules(HubName="h", Rules=rules)
    assert named(preview["Added"]) == sorted([IRIS, TINY]) and preview["Matched"] == 2
    assert (preview["Removed"], preview["Updated"], preview["ByHand"]) == ([], [], [])
    assert names(sm, "h") == [GATED], "a preview changes nothing"
    answer = put(account, "h", rules)
    assert (answer["HubArn"], answer["Rules"], answer["Status"]) == (account.arn("hub/h"), rules, "Applying")
    assert names(sm, "h") == sorted([GATED, IRIS, TINY]) and names(sm, "other") == []
    described = client.describe_hub_rules(HubName="h")
    assert (described["Status"], described["Rules"], described["LeftOut"]) == ("Applied", rules, 0)
    assert described["SetBy"].startswith(f"arn:aws:iam::{account.id}:")
    # What rules brought is a reference as any other to whoever uses it.
    document = sm.describe_hub_content(HubName="h", HubContentType="ModelReference", HubContentName=IRIS)
    assert json.loads(document["HubContentDocument"])["HostingArtifactUri"].startswith("s3://jumpstart-cache-prod-")
    assert document["SageMakerPublicHubContentArn"] == f"{PUBLIC}/{IRIS}"
    for call in (
        lambda: sm.delete_hub_content_reference(
            HubName="h", HubContentType="ModelReference", HubContentName=IRIS
        ),
        lambda: sm.update_hub_content_reference(
            HubName="h", HubContentType="ModelReference", HubContentName=IRIS, MinVersion="1.0.0"
        ),
    ):
        with refused("ValidationException", "made by the rules", "PutHubRules"):
            call()
    # Narrower rules take what they do not let in, and leave what was made by hand.
    put(account, "h", "name matches *-tiny")
    assert names(sm, "h") == sorted([GATED, TINY])
    second, first = changes(account, "h")
    assert (first["ChangeNumber"], first["Cause"], named(first["Added"]), first["Removed"]) == (
        1, "Rules", sorted([IRIS, TINY]), [],
    )
    reasons = {one["HubContentName"]: one["Reason"] for one in first["Added"]}
    assert "framework is sklearn (sklearn)" in reasons[IRIS] and "not gated (false)" in reasons[IRIS]
    assert (second["ChangeNumber"], named(second["Removed"]), second["Added"]) == (2, [IRIS], [])
    assert "`name matches *-tiny` does not hold" in second["Removed"][0]["Reason"]
    page = client.list_hub_rule_changes(HubName="h", MaxResults=1)
    assert [one["ChangeNumber"] for one in page["Changes"]] == [2]
    page = client.list_hub_rule_changes(HubName="h", MaxResults=1, NextToken=page["NextToken"])
    assert [one["ChangeNumber"] for one in page["Changes"]] == [1] and "NextToken" not in page
    with refused("ResourceInUse", "PutHubRules"):
        sm.delete_hub(HubName="h")
    put(account, "h", "")
    assert names(sm, "h") == [GATED]
    assert client.describe_hub_rules(HubName="h")["Status"] == "None"


def test_the_catalog_changes_and_the_hubs_follow(account, sm, folder):
    rules = f"name is {folder.id} and licence in (apache-2.0, mit) and not deprecated and not vulnerable"
    for hub in ("a", "b"):
        new_hub(sm, hub)
        put(account, hub, rules)
    folder.put("1.0.0", licence="MIT")
    for hub in ("a", "b"):
        wait_for("the model is there", lambda: names(sm, hub) == [folder.id])
    folder.put("1.1.0", licence="proprietary")
    folder.put("1.2.0", licence="Apache-2.0")
    for hub in ("a", "b"):
        wait_for("the version is there", lambda: "1.2.0" in versions(sm, hub, folder.id))
        assert versions(sm, hub, folder.id) == ["1.0.0", "1.2.0"], "what the rules do not let in is not shown"
    with refused("ResourceNotFound", "1.1.0"):
        sm.describe_hub_content(
            HubName="a", HubContentType="ModelReference", HubContentName=folder.id, HubContentVersion="1.1.0"
        )
    folder.put("1.2.0", vulnerabilities=["CVE-2026-1"])
    folder.put("1.0.0", deprecated="Use another.")
    wait_for("the model is gone", lambda: names(sm, "a") == [] and names(sm, "b") == [])
    log = changes(account, "a")
    assert [one["Cause"] for one in log[:-1]] == ["Catalog"] * (len(log) - 1) and log[-1]["Cause"] == "Rules"
    assert named(log[0]["Removed"]) == [folder.id] and "does not hold (true)" in log[0]["Removed"][0]["Reason"]


def test_what_is_wrong_is_told_with_its_place(account, sm):
    new_hub(sm, "h")
    client = stoa(account)
    for rules, words in [
        ("framework is pytorch and licence = mit", "line 1, column 34"),
        ("gated and\n  sise below 3 GB", "line 2, column 3: `sise` is no field; fields are name"),
        ("task is Text Generation", "quote values of several words"),
        ("(" * 100 + "gated" + ")" * 100, "64 levels"),
    ]:
        for call in (client.put_hub_rules, client.preview_hub_rules):
            with refused("ValidationException", "Rules: ", words):
                call(HubName="h", Rules=rules)
    with refused("ValidationException"):
        client.put_hub_rules(HubName="h", Rules="# " + "x" * 16_384)
    for call in (client.describe_hub_rules, client.list_hub_rule_changes, client.preview_hub_rules):
        with refused("ResourceNotFoundException", "nobody"):
            call(HubName="nobody")
    with refused("ValidationException", "token"):
        client.list_hub_rule_changes(HubName="h", NextToken="x")
    assert client.describe_hub_rules(HubName="h")["Status"] == "None"


def test_rules_are_a_right(server, account, sm):
    new_hub(sm, "h")
    arn = account.arn("hub/h")
    reader = account.new_user("reader", allow(["stoa:DescribeHubRules", "stoa:PreviewHubRules"], arn))
    assert stoa(reader).describe_hub_rules(HubName="h")["Status"] == "None"
    assert stoa(reader).preview_hub_rules(HubName="h", Rules=f"name is {IRIS}")["Matched"] == 1
    with refused("AccessDeniedException", "stoa:PutHubRules", arn):
        stoa(reader).put_hub_rules(HubName="h", Rules="gated")
    with refused("AccessDeniedException", "stoa:ListHubRuleChanges"):
        stoa(reader).list_hub_rule_changes(HubName="h")
    # Rules bring public models: who may not refer to them may not do so by a rule either.
    setter = account.new_user("setter", allow("stoa:*", arn))
    with refused("AccessDeniedException", "sagemaker:CreateHubContentReference", f"{PUBLIC}/*"):
        stoa(setter).put_hub_rules(HubName="h", Rules=f"name is {IRIS}")
    curator = account.new_user("curator", policy(
        statement("Allow", "stoa:*", arn), statement("Allow", "sagemaker:CreateHubContentReference", f"{PUBLIC}/*")
    ))
    stoa(curator).put_hub_rules(HubName="h", Rules=f"name is {IRIS}")
    applied(account, "h")
    assert names(sm, "h") == [IRIS]
    with refused("AccessDeniedException"):
        stoa(server.new_account("rules-other")).describe_hub_rules(HubName=arn)
    records = [one for one in server.records("--event", "PutHubRules") if one["userIdentity"]["accountId"] == account.id]
    assert {one.get("errorCode", "") for one in records} == {"", "AccessDenied"}


def test_rules_by_command(server, account, sm, tmp_path):
    new_hub(sm, "h")
    arn = account.arn("hub/h")
    rules = lambda *arguments, **more: server.command("hub", "rules", *arguments, "--hub", arn, **more)
    assert "no rules" in rules("show").stdout
    shown = rules("preview", f"name is {IRIS}").stdout
    assert "1 models match: 1 to add" in shown and f"+ {IRIS}" in shown
    file = tmp_path / "rules"
    file.write_text(f"# ours\nname is {IRIS}\n  or name is {TINY}\n")
    assert "being applied" in rules("set", "--file", file).stdout
    applied(account, "h")
    assert names(sm, "h") == sorted([IRIS, TINY])
    shown = rules("show").stdout
    assert shown.startswith(arn) and "\napplied\n" in shown and "LocalAdministrator" in shown and "# ours" in shown
    log = rules("log").stdout
    assert "because of the rules" in log and f"+ {TINY}" in log
    assert json.loads(rules("log", "--json").stdout)[0]["ChangeNumber"] == 1
    assert json.loads(rules("show", "--json").stdout)["Status"] == "Applied"
    wrong = rules("set", "name is", check=False)
    assert wrong.returncode != 0 and "line 1, column 8: a value is expected" in wrong.stderr
    rules("set", "")
    applied(account, "h")
    assert names(sm, "h") == []


@pytest.mark.parametrize("point", ["hub-rules-before-commit", "hub-rules-after-commit"])
def test_a_server_that_dies_while_it_applies_rules_goes_on(own_server, point):
    own_server.start(environment={"STOA_FAILPOINTS": f"{point}=abort"})
    account = own_server.new_account()
    sm = account.client("sagemaker")
    new_hub(sm, "h", GATED)
    try:
        stoa(account).put_hub_rules(HubName="h", Rules=f"name in ({IRIS}, {TINY})")
    except Exception:  # The server may be gone before it answers; that it was set is what counts below.
        pass
    own_server.process.wait(60)
    assert "failpoint" in own_server.log_tail()
    own_server.start()
    sm = account.client("sagemaker")
    applied(account, "h")
    assert names(sm, "h") == sorted([GATED, IRIS, TINY])
    (change,) = changes(account, "h")
    assert (change["ChangeNumber"], named(change["Added"])) == (1, sorted([IRIS, TINY])), "once, and not lost"
    # And again after a plain kill: what was done is seen to be done.
    own_server.kill()
    own_server.start()
    put(account, "h", f"name is {TINY}")
    assert names(account.client("sagemaker"), "h") == sorted([GATED, TINY])
    assert [one["ChangeNumber"] for one in changes(account, "h")] == [2, 1]
    assert len(contents_of(account.client("sagemaker"), "h", "ModelReference")) == 2
