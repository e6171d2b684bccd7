"""What rules, admission and sharing of hubs come to together: what is let in, judged again, and under whose key."""

import json

import pytest

from support import GATED, IRIS, REGION, TINY, refused
from test_admission import Site, sign_key
from test_hub_rules import applied, changes, named, put
from test_hub_settings import names, new_hub
from test_insight import stoa
from test_ram import FULL, accept, consumer, owner, share_of  # noqa: F401 (fixtures)


def card(licence):
    return f"---\nlicense: {licence}\n---\n# A card\n"


@pytest.fixture
def sm(account):
    return account.client("sagemaker")


def test_rules_bring_in_what_the_admission_policy_lets_in(server, account, sm):
    new_hub(sm, "h", GATED)
    client, arn = stoa(account), account.arn("hub/h")
    rules = f"name in ({IRIS}, {TINY}, {GATED})"
    client.put_hub_admission_policy(HubName="h", Policy={"AllowedFormats": ["Safetensors", "JSON"]})
    put(account, "h", rules)
    assert names(sm, "h") == [GATED], "made by hand, before the policy"
    described = client.describe_hub_rules(HubName="h")
    assert (described["Status"], described["Refused"]) == ("Applied", 3)
    (entry,) = changes(account, "h")
    assert (entry["Cause"], entry["Added"], entry["RefusedCount"]) == ("Rules", [], 3)
    assert named(entry["Refused"]) == sorted([GATED, IRIS, TINY])
    assert all("refused by admission: " in one["Reason"] and "ONNX" in one["Reason"] for one in entry["Refused"])
    preview = client.preview_hub_rules(HubName="h")
    assert (preview["Matched"], preview["AddedCount"], preview["RefusedCount"], preview["UnscannedCount"]) == (3, 0, 3, 0)
    shown = server.command("hub", "rules", "preview", "--hub", arn).stdout
    assert "3 models match: 0 to add" in shown and "3 match and are kept out by the hub's admission policy" in shown
    assert f"! {IRIS}" in shown
    log = server.command("hub", "rules", "log", "--hub", arn).stdout
    assert "because of the rules" in log and "refused by admission" in log
    # Without the policy they come, and the log says why.
    client.put_hub_admission_policy(HubName="h", Policy={})
    applied(account, "h")
    assert names(sm, "h") == sorted([GATED, IRIS, TINY])
    entry = changes(account, "h")[0]
    assert (entry["Cause"], named(entry["Added"]), entry["RefusedCount"]) == ("Admission", sorted([IRIS, TINY]), 0)
    # A reference of one's own makes way for the rules', which is another cause.
    sm.delete_hub_content_reference(HubName="h", HubContentType="ModelReference", HubContentName=GATED)
    applied(account, "h")
    entry = changes(account, "h")[0]
    assert (entry["Cause"], named(entry["Added"])) == ("Reference", [GATED])
    # And what a policy no longer lets in goes.
    client.put_hub_admission_policy(HubName="h", Policy={"MaxTotalBytes": 1})
    applied(account, "h")
    assert names(sm, "h") == []
    entry = changes(account, "h")[0]
    assert entry["Cause"] == "Admission" and len(entry["Removed"]) == 3
    assert all("at most 1 are allowed" in one["Reason"] for one in entry["Removed"])


def test_a_rule_text_has_an_end(account, sm):
    new_hub(sm, "h")
    for call in (stoa(account).put_hub_rules, stoa(account).preview_hub_rules):
        with refused("ValidationException", "Rules: line 1, column 901", "100 tests"):
            call(HubName="h", Rules=" or ".join(["gated"] * 101))
        call(HubName="h", Rules=" and ".join(["gated"] * 100))


def test_an_update_does_not_undo_the_gate(account):
    site = Site(account, "gate")
    site.policy(AllowedLicences=["apache-2.0"], RequiredCardFields=["license"])
    assert site.put("own", markdown=card("apache-2.0"), config__json=b"{}")["HubContentStatus"] == "Available"
    change = lambda **more: site.sm.update_hub_content(
        HubName="h", HubContentType="Model", HubContentName="own", HubContentVersion="1.0.0", **more
    )
    change(HubContentDescription="better", SupportStatus="Deprecated")
    assert site.describe("own")["HubContentStatus"] == "Available"
    change(HubContentMarkdown=card("proprietary"))
    found = site.judged("own")
    assert found["HubContentStatus"] == "ImportFailed" and "proprietary" in found["FailureReason"]
    with refused("ValidationException", "ImportFailed"):
        site.presign("own")
    change(HubContentMarkdown=card("apache-2.0"))
    found = site.judged("own", unlike=("Importing", "ImportFailed"))
    assert "FailureReason" not in found and site.presign("own")


def test_a_consumer_s_import_is_signed_under_the_owner_s_key(owner, consumer):  # noqa: F811
    sm, kms = owner.client("sagemaker"), owner.client("kms")
    hub = sm.create_hub(HubName="models", HubDescription="d")["HubArn"]
    key = sign_key(owner)
    kms.create_alias(AliasName="alias/models", TargetKeyId=key)
    theirs = sign_key(consumer)
    consumer.client("kms").create_alias(AliasName="alias/models", TargetKeyId=theirs)
    with refused("ValidationException", "SigningKeyId", owner.id, REGION):
        stoa(owner).put_hub_admission_policy(HubName="models", Policy={"SigningKeyId": theirs})
    stoa(owner).put_hub_admission_policy(HubName="models", Policy={"SigningKeyId": "alias/models"})
    share_of(owner, hub, consumer.id, permissionArns=[FULL])
    accept(consumer)
    put_in = lambda: consumer.client("sagemaker").import_hub_content(
        HubName=hub, HubContentName="own", HubContentType="JsonDoc", DocumentSchemaVersion="1.0.0",
        HubContentDocument="{}",
    )
    with refused("AccessDeniedException", "kms:Sign", key):
        put_in()
    statements = [
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{owner.id}:root"}, "Action": "kms:*", "Resource": "*"},
        {"Effect": "Allow", "Principal": {"AWS": consumer.id}, "Action": "kms:Sign", "Resource": "*"},
    ]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=policy)
    put_in()
    told = stoa(owner).describe_model_provenance(HubName="models", HubContentType="JsonDoc", HubContentName="own")
    assert (told["SigningKeyArn"], told["SignatureValid"]) == (key, True)
    assert consumer.id in told["ImportedBy"]
