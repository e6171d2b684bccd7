"""MFA, federated sessions, OpenID Connect and SAML by boto3, as the personas would: a user with a phone, an application
with a token of its identity provider, a person who comes from the company's single sign-on."""

import base64
import datetime
import hashlib
import hmac
import json
import struct
import time

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from signxml import SignatureMethod

from identity_provider import ATTRIBUTES, Issuer, SamlProvider, now, serve
from support import NO_PROXIES, REGION, Account, allow, deny, policy, refused, statement



def unsigned(server, service="sts"):
    """A client without credentials."""
    config = Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1}, proxies=NO_PROXIES)
    return boto3.client(service, endpoint_url=server.url, region_name=REGION, config=config)


def account_of(server, account, answer):
    """The session that an answer of STS gives."""
    keys = answer["Credentials"]
    return Account(server, account.id, keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])


def federated(provider, actions, **conditions):
    return policy({"Effect": "Allow", "Principal": {"Federated": provider}, "Action": actions, "Condition": conditions})


def new_role(iam, name, trust, *policies):
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    for number, document in enumerate(policies):
        iam.put_role_policy(RoleName=name, PolicyName=f"p{number}", PolicyDocument=json.dumps(document))
    return arn


def journal(server):
    """Every byte of the journal."""
    files = [file for file in (server.data_dir / "audit").rglob("*") if file.is_file()]
    assert files
    return b"".join(file.read_bytes() for file in files)


class Phone:
    """What shows the codes of a virtual device."""

    def __init__(self, device):
        self.serial = device["SerialNumber"]
        self.text = device["Base32StringSeed"]
        self.seed = base64.b32decode(self.text)

    def code(self, steps=0):
        counter = struct.pack(">q", int(time.time()) // 30 + steps)
        digest = hmac.new(self.seed, counter, hashlib.sha1).digest()
        at = digest[19] & 15
        return f"{(struct.unpack('>I', digest[at:at + 4])[0] & 0x7FFFFFFF) % 1_000_000:06d}"


def new_phone(iam, name, user=None):
    phone = Phone(iam.create_virtual_mfa_device(VirtualMFADeviceName=name)["VirtualMFADevice"])
    if user:
        codes = {"AuthenticationCode1": phone.code(-1), "AuthenticationCode2": phone.code()}
        iam.enable_mfa_device(UserName=user, SerialNumber=phone.serial, **codes)
    return phone


def test_a_user_with_a_phone_may_do_what_needs_mfa(server, account):
    iam = account.client("iam")
    needs_mfa = deny("s3:DeleteBucket", Condition={"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}})
    user = account.new_user("ana", allow("*"), needs_mfa)
    device = iam.create_virtual_mfa_device(VirtualMFADeviceName="anas-phone", Tags=[{"Key": "k", "Value": "v"}])
    device = device["VirtualMFADevice"]
    assert device["SerialNumber"] == f"arn:aws:iam::{account.id}:mfa/anas-phone"
    assert device["QRCodePNG"].startswith(b"\x89PNG")
    phone = Phone(device)
    with refused("InvalidAuthenticationCode", status=403):
        iam.enable_mfa_device(
            UserName="ana", SerialNumber=phone.serial, AuthenticationCode1="000000", AuthenticationCode2="000000"
        )
    codes = {"AuthenticationCode1": phone.code(-1), "AuthenticationCode2": phone.code()}
    iam.enable_mfa_device(UserName="ana", SerialNumber=phone.serial, **codes)
    assert [one["SerialNumber"] for one in iam.list_mfa_devices(UserName="ana")["MFADevices"]] == [phone.serial]
    assigned = iam.list_virtual_mfa_devices(AssignmentStatus="Assigned")["VirtualMFADevices"]
    assert [one["User"]["UserName"] for one in assigned] == ["ana"]
    bucket = f"mfa-{account.id}"
    s3 = user.client("s3")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    with refused("AccessDenied"):
        s3.delete_bucket(Bucket=bucket)
    sts = user.client("sts")
    with refused("AccessDenied", "MultiFactorAuthentication failed with invalid MFA one time pass code"):
        sts.get_session_token(SerialNumber=phone.serial, TokenCode=codes["AuthenticationCode2"])
    code = phone.code(1)
    session = account_of(server, account, sts.get_session_token(SerialNumber=phone.serial, TokenCode=code))
    with refused("AccessDenied", "invalid MFA one time pass code", status=403):
        sts.get_session_token(SerialNumber=phone.serial, TokenCode=code)
    session.client("s3").delete_bucket(Bucket=bucket)
    session.client("iam").list_users()
    plain = account_of(server, account, sts.get_session_token())
    with refused("InvalidClientTokenId", status=403):
        plain.client("iam").list_users()
    with refused("AccessDenied", "session credentials"):
        plain.client("sts").get_session_token()
    written = journal(server)
    for secret in (phone.text, phone.seed, code.encode(), codes["AuthenticationCode1"].encode()):
        secret = secret.encode() if isinstance(secret, str) else secret
        assert b'"' + secret + b'"' not in written and (len(secret) < 8 or secret not in written)
    record = server.records("--event", "CreateVirtualMFADevice", "--account", account.id)[0]
    assert "anas-phone" in json.dumps(record["requestParameters"])
    for key in iam.list_access_keys(UserName="ana")["AccessKeyMetadata"]:
        iam.delete_access_key(UserName="ana", AccessKeyId=key["AccessKeyId"])
    for name in iam.list_user_policies(UserName="ana")["PolicyNames"]:
        iam.delete_user_policy(UserName="ana", PolicyName=name)
    with refused("DeleteConflict", "MFA", status=409):
        iam.delete_user(UserName="ana")
    with refused("DeleteConflict", "deactivate", status=409):
        iam.delete_virtual_mfa_device(SerialNumber=phone.serial)
    iam.deactivate_mfa_device(UserName="ana", SerialNumber=phone.serial)
    iam.delete_virtual_mfa_device(SerialNumber=phone.serial)
    iam.delete_user(UserName="ana")


def test_a_role_that_wants_mfa(server, account):
    iam = account.client("iam")
    user = account.new_user("bo", allow("sts:AssumeRole"))
    phone = new_phone(iam, "bos-phone", "bo")
    wants = {"Bool": {"aws:MultiFactorAuthPresent": "true"}, "NumericLessThan": {"aws:MultiFactorAuthAge": "3600"}}
    trust = policy({
        "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account.id}:root"}, "Action": "sts:AssumeRole",
        "Condition": wants,
    })
    role = new_role(iam, "Careful", trust, allow("s3:ListAllMyBuckets"))
    with refused("AccessDenied", "sts:AssumeRole"):
        user.assume(role)
    with refused("AccessDenied", "must provide both"):
        user.assume(role, TokenCode="123456")
    with refused("AccessDenied", "unable to validate MFA code"):
        user.assume(role, SerialNumber=f"arn:aws:iam::{account.id}:mfa/other", TokenCode=phone.code(1))
    careful = user.assume(role, SerialNumber=phone.serial, TokenCode=phone.code(1))
    careful.client("s3").list_buckets()


def test_a_device_outlives_kill_nine(own_server):
    server = own_server.start()
    account = server.new_account("crash")
    iam = account.client("iam")
    user = account.new_user("cy", allow("*"))
    phone = new_phone(iam, "cys-phone", "cy")
    code = phone.code(1)
    user.client("sts").get_session_token(SerialNumber=phone.serial, TokenCode=code)
    server.kill()
    server.start()
    with refused("AccessDenied", "invalid MFA one time pass code"):
        user.client("sts").get_session_token(SerialNumber=phone.serial, TokenCode=code)
    assert user.client("iam").list_mfa_devices()["MFADevices"][0]["SerialNumber"] == phone.serial


def test_a_federated_user_has_what_both_policies_allow(server, account):
    user = account.new_user("proxy", allow(["sts:GetFederationToken", "s3:ListAllMyBuckets", "s3:CreateBucket"]))
    sts = user.client("sts")
    answer = sts.get_federation_token(Name="bob", Policy=json.dumps(allow(["s3:ListAllMyBuckets", "iam:*"])))
    assert answer["FederatedUser"]["Arn"] == f"arn:aws:sts::{account.id}:federated-user/bob"
    bob = account_of(server, account, answer)
    assert bob.client("sts").get_caller_identity()["UserId"] == f"{account.id}:bob"
    bob.client("s3").list_buckets()
    with refused("AccessDenied"):
        bob.client("s3").create_bucket(Bucket="b-1", CreateBucketConfiguration={"LocationConstraint": REGION})
    with refused("InvalidClientTokenId", status=403):
        bob.client("iam").list_users()
    bare = account_of(server, account, sts.get_federation_token(Name="carl"))
    with refused("AccessDenied"):
        bare.client("s3").list_buckets()
    with refused("AccessDenied", "sts:TagSession"):
        sts.get_federation_token(Name="dora", Tags=[{"Key": "k", "Value": "v"}])
    record = server.records("--event", "ListBuckets", "--account", account.id)[0]["userIdentity"]
    assert record["type"] == "FederatedUser"


def test_a_refusal_can_be_decoded_by_who_may(account):
    user = account.new_user("eve")
    with refused("AccessDenied") as refusal:
        user.client("iam").list_users()
    encoded = refusal.error["ResponseMetadata"]["HTTPHeaders"]["x-stoa-authorization-message"]
    with refused("AccessDenied", "sts:DecodeAuthorizationMessage"):
        user.client("sts").decode_authorization_message(EncodedMessage=encoded)
    sts = account.client("sts")
    decoded = json.loads(sts.decode_authorization_message(EncodedMessage=encoded)["DecodedMessage"])
    assert decoded["allowed"] is False
    assert decoded["context"]["action"] == "iam:ListUsers"
    with refused("InvalidAuthorizationMessageException", status=400):
        sts.decode_authorization_message(EncodedMessage="x" * 40)


def test_only_assertions_come_without_a_signature(server):
    for call in ("get_caller_identity", "get_session_token"):
        with refused("MissingAuthenticationToken", status=403):
            getattr(unsigned(server), call)()
    with refused("MissingAuthenticationToken", status=403):
        unsigned(server, "iam").list_users()


def test_a_token_of_an_issuer_that_can_be_asked(server, account, tmp_path):
    iam = account.client("iam")
    issuer = Issuer()
    with serve(issuer, tmp_path) as thumbprint:
        host = issuer.url.removeprefix("https://")
        # Without a list, the certificate that the server shows is taken.
        made = iam.create_open_id_connect_provider(Url=issuer.url, ClientIDList=["stoa"])
        provider = made["OpenIDConnectProviderArn"]
        assert provider == f"arn:aws:iam::{account.id}:oidc-provider/{host}"
        assert iam.get_open_id_connect_provider(OpenIDConnectProviderArn=provider)["ThumbprintList"] == [thumbprint]
        wants = {"StringEquals": {f"{host}:sub": "anna", f"{host}:aud": "stoa"}}
        role = new_role(
            iam, "Web", federated(provider, "sts:AssumeRoleWithWebIdentity", **wants), allow("s3:ListAllMyBuckets")
        )
        sts = unsigned(server)
        asked = {"RoleArn": role, "RoleSessionName": "from-the-web"}
        token = issuer.token()
        answer = sts.assume_role_with_web_identity(WebIdentityToken=token, **asked)
        assert answer["SubjectFromWebIdentityToken"] == "anna"
        assert answer["Provider"] == provider and answer["Audience"] == "stoa"
        session = account_of(server, account, answer)
        session.client("s3").list_buckets()
        assert session.client("sts").get_caller_identity()["Arn"].endswith(":assumed-role/Web/from-the-web")
        sts.assume_role_with_web_identity(WebIdentityToken=issuer.token("ec-1"), **asked)
        assert issuer.asked.count("/keys") == 1, "keys are held"
        # A rotated key is asked for once it is used.
        issuer.keys["rsa-2"] = Issuer().keys["rsa-1"]
        sts.assume_role_with_web_identity(WebIdentityToken=issuer.token("rsa-2"), **asked)
        with refused("InvalidIdentityToken", "verification key"):
            sts.assume_role_with_web_identity(WebIdentityToken=issuer.token(header={"kid": "rsa-3"}), **asked)
        assert issuer.asked.count("/keys") == 2, "and not for every key that nobody has"
        with refused("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", status=403):
            sts.assume_role_with_web_identity(WebIdentityToken=issuer.token(sub="bert"), **asked)
        attacker = Issuer(issuer.url)
        forged = issuer.token(signer=attacker)
        head, claims, _ = token.split(".")
        nothing = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
        for bad, code in [
            (forged, "InvalidIdentityToken"),
            (f"{nothing}.{claims}.", "InvalidIdentityToken"),
            (issuer.token(aud="other"), "InvalidIdentityToken"),
            (issuer.token(iss="https://unknown.example.com"), "InvalidIdentityToken"),
            (issuer.token(exp=1), "ExpiredTokenException"),
            (issuer.token(sub=None), "InvalidIdentityToken"),
        ]:
            with refused(code, status=400):
                sts.assume_role_with_web_identity(WebIdentityToken=bad, **asked)
        # Without the pin nothing vouches for the server: it is self-signed.
        iam.update_open_id_connect_provider_thumbprint(
            OpenIDConnectProviderArn=provider, ThumbprintList=["ab" * 20]
        )
        with refused("IDPCommunicationError", status=400):
            sts.assume_role_with_web_identity(WebIdentityToken=token, **asked)
    records = server.records("--event", "AssumeRoleWithWebIdentity")
    mine = [record["userIdentity"] for record in records if record["userIdentity"].get("identityProvider") == provider]
    assert mine[0] == {
        "type": "WebIdentityUser", "principalId": f"{provider}:stoa:anna", "userName": "anna", "identityProvider": provider
    }
    assert {one["userName"] for one in mine} == {"anna", "bert"}, "a refused role is recorded with who asked for it"
    written = journal(server)
    for part in token.split(".")[1:]:
        assert part.encode() not in written


def test_tags_and_source_identity_of_a_token_go_through_the_chain(server, account, tmp_path):
    iam = account.client("iam")
    issuer = Issuer()
    with serve(issuer, tmp_path):
        provider = iam.create_open_id_connect_provider(Url=issuer.url, ClientIDList=["stoa"])["OpenIDConnectProviderArn"]
        actions = ["sts:AssumeRoleWithWebIdentity", "sts:TagSession", "sts:SetSourceIdentity"]
        trust = federated(provider, actions, StringEquals={"aws:RequestTag/Team": "ml"})
        mine = statement(
            "Allow", "s3:ListAllMyBuckets", Condition={"StringEquals": {"aws:PrincipalTag/Team": "ml", "aws:SourceIdentity": "anna.k"}}
        )
        first = new_role(iam, "First", trust, allow("sts:*"))
        root = {"AWS": f"arn:aws:iam::{account.id}:root"}
        again = policy({"Effect": "Allow", "Principal": root, "Action": ["sts:AssumeRole", "sts:SetSourceIdentity"]})
        second = new_role(iam, "Second", again, policy(mine))
        token = issuer.token(**{
            "https://aws.amazon.com/tags": {"principal_tags": {"Team": ["ml"]}, "transitive_tag_keys": ["Team"]},
            "https://aws.amazon.com/source_identity": "anna.k",
        })
        answer = unsigned(server).assume_role_with_web_identity(
            WebIdentityToken=token, RoleArn=first, RoleSessionName="web"
        )
        assert answer["SourceIdentity"] == "anna.k"
        session = account_of(server, account, answer)
        with refused("AccessDenied"):
            session.client("s3").list_buckets()
        with refused("ValidationError", "chaining"):
            session.assume(second, DurationSeconds=7200)
        session.assume(second).client("s3").list_buckets()
        record = server.records("--event", "ListBuckets", "--account", account.id)[-1]["userIdentity"]
        assert record["sessionContext"]["attributes"]["sourceIdentity"] == "anna.k"


def test_keys_that_the_operator_has_pinned(own_server):
    issuer = Issuer("https://login.example.com/realms/lab")
    keys = own_server.home / "keys.json"
    keys.write_text(json.dumps(issuer.jwks()))
    config = own_server.home / "stoa.toml"
    config.write_text(
        f'oidc_discovery = false\n[[oidc_keys]]\nissuer = "{issuer.url}"\njwks_file = "{keys}"\n'
    )
    own_server.arguments = ["--config", str(config)]
    server = own_server.start()
    account = server.new_account("pinned")
    iam = account.client("iam")
    provider = iam.create_open_id_connect_provider(Url=issuer.url, ClientIDList=["stoa"])["OpenIDConnectProviderArn"]
    role = new_role(iam, "Web", federated(provider, "sts:AssumeRoleWithWebIdentity"))
    asked = {"RoleArn": role, "RoleSessionName": "web"}
    unsigned(server).assume_role_with_web_identity(WebIdentityToken=issuer.token(), **asked)
    other = Issuer(issuer.url)
    with refused("InvalidIdentityToken"):
        unsigned(server).assume_role_with_web_identity(WebIdentityToken=other.token(), **asked)
    # The file counts as it is now.
    keys.write_text(json.dumps(other.jwks()))
    unsigned(server).assume_role_with_web_identity(WebIdentityToken=other.token(), **asked)
    # Another issuer is not asked.
    away = "https://away.example.com"
    iam.create_open_id_connect_provider(Url=away, ClientIDList=["stoa"], ThumbprintList=["ab" * 20])
    with refused("IDPCommunicationError", "none are pinned"):
        unsigned(server).assume_role_with_web_identity(WebIdentityToken=issuer.token(iss=away), **asked)


@pytest.fixture
def single_sign_on(account):
    """A SAML provider in the account, with a role for it."""
    idp = SamlProvider()
    iam = account.client("iam")
    made = iam.create_saml_provider(SAMLMetadataDocument=idp.metadata(), Name="corp")
    idp.arn = made["SAMLProviderArn"]
    wants = {"StringEquals": {"SAML:aud": "https://signin.aws.amazon.com/saml", "saml:sub_type": "persistent"}}
    trust = federated(idp.arn, ["sts:AssumeRoleWithSAML", "sts:TagSession"], **wants)
    idp.role = new_role(iam, "Sso", trust, allow("s3:ListAllMyBuckets"))
    idp.attributes = {f"{ATTRIBUTES}Role": [f"{idp.role},{idp.arn}"], f"{ATTRIBUTES}RoleSessionName": ["anna"]}
    return idp


@pytest.mark.parametrize("sign", ["assertion", "response", "both"])
@pytest.mark.parametrize("method", [SignatureMethod.RSA_SHA256, SignatureMethod.RSA_SHA512])
def test_a_person_who_comes_from_single_sign_on(server, account, single_sign_on, sign, method):
    idp = single_sign_on
    attributes = {**idp.attributes, f"{ATTRIBUTES}PrincipalTag:Team": ["ml"]}
    response = idp.response(attributes, sign=sign, method=method)
    answer = unsigned(server).assume_role_with_saml(
        RoleArn=idp.role, PrincipalArn=idp.arn, SAMLAssertion=response
    )
    assert (answer["Subject"], answer["SubjectType"]) == ("anna@lab", "persistent")
    qualifier = hashlib.sha1(f"https://idp.example.com/saml{account.id}/corp".encode()).digest()
    assert answer["NameQualifier"] == base64.b64encode(qualifier).decode()
    assert answer["Audience"] == "https://signin.aws.amazon.com/saml"
    session = account_of(server, account, answer)
    session.client("s3").list_buckets()
    records = server.records("--event", "AssumeRoleWithSAML")
    identity = records[-1]["userIdentity"]
    assert identity["type"] == "SAMLUser" and identity["userName"] == "anna@lab"
    assert identity["principalId"] == f"{answer['NameQualifier']}:anna@lab"
    assert records[-1]["recipientAccountId"] == account.id
    assert response[200:260].encode() not in journal(server)


def test_responses_that_are_not_believed(server, single_sign_on):
    idp = single_sign_on
    sts = unsigned(server)
    asked = {"RoleArn": idp.role, "PrincipalArn": idp.arn}
    xml = base64.b64decode(idp.response(idp.attributes)).decode()
    encoded = lambda text: base64.b64encode(text.encode()).decode()  # noqa: E731
    start, end = xml.index("<saml:Assertion"), xml.index("</saml:Assertion>") + len("</saml:Assertion>")
    evil = xml[start:end].replace("anna@lab", "admin").replace("_assertion", "_evil")
    earlier = now() - datetime.timedelta(minutes=10)
    ahead = now() + datetime.timedelta(minutes=10)
    invalid = "InvalidIdentityToken"
    cases = [
        (encoded(xml.replace("anna@lab", "admin")), invalid, "Response signature invalid"),
        (encoded(xml[:start] + evil + xml[start:]), invalid, "Invalid SAML response"),
        (encoded(xml[:start] + evil + xml[end:]), invalid, "Response signature invalid"),
        (encoded('<!DOCTYPE x [<!ENTITY e "e">]>' + xml), invalid, "Invalid SAML response"),
        (SamlProvider().response(idp.attributes), invalid, "Response signature invalid"),
        (idp.response(idp.attributes, sign="nothing"), invalid, "not signed"),
        (idp.response(idp.attributes, issued=earlier), "ExpiredTokenException", "within 5 minutes"),
        (idp.response(idp.attributes, issued=ahead), invalid, "not valid yet"),
        (idp.response(idp.attributes, audience="urn:other"), invalid, "required audience"),
        (idp.response(idp.attributes, recipient="https://evil.example.com/saml"), invalid, "recipient"),
        (idp.response({**idp.attributes, f"{ATTRIBUTES}RoleSessionName": []}), invalid, "RoleSessionName is required"),
    ]
    for response, code, words in cases:
        with refused(code, words, status=400):
            sts.assume_role_with_saml(SAMLAssertion=response, **asked)
    other = {**idp.attributes, f"{ATTRIBUTES}Role": [f"arn:aws:iam::111122223333:role/x,{idp.arn}"]}
    with refused("AccessDenied", "Not authorized to perform sts:AssumeRoleWithSAML", status=403):
        sts.assume_role_with_saml(SAMLAssertion=idp.response(other), **asked)
    # A comment in a name does not cut it short.
    cut = idp.response(idp.attributes, subject="admin.evil.com")
    cut = base64.b64decode(cut).decode().replace("admin.evil.com", "admin<!---->.evil.com")
    answer = sts.assume_role_with_saml(SAMLAssertion=encoded(cut), **asked)
    assert answer["Subject"] == "admin.evil.com"


def test_saml_providers_by_their_api(account):
    iam = account.client("iam")
    idp = SamlProvider()
    arn = iam.create_saml_provider(SAMLMetadataDocument=idp.metadata(), Name="corp")["SAMLProviderArn"]
    with refused("EntityAlreadyExists", status=409):
        iam.create_saml_provider(SAMLMetadataDocument=idp.metadata(), Name="corp")
    with refused("InvalidInput", "Could not parse metadata", status=400):
        iam.update_saml_provider(SAMLProviderArn=arn, SAMLMetadataDocument="<a>" + " " * 1000 + "</a>")
    assert iam.get_saml_provider(SAMLProviderArn=arn)["SAMLMetadataDocument"] == idp.metadata()
    iam.tag_saml_provider(SAMLProviderArn=arn, Tags=[{"Key": "k", "Value": "v"}])
    assert iam.list_saml_provider_tags(SAMLProviderArn=arn)["Tags"] == [{"Key": "k", "Value": "v"}]
    assert [one["Arn"] for one in iam.list_saml_providers()["SAMLProviderList"]] == [arn]
    reader = account.new_user("reader", allow("iam:ListSAMLProviders"))
    reader.client("iam").list_saml_providers()
    with refused("AccessDenied", "iam:GetSAMLProvider", arn):
        reader.client("iam").get_saml_provider(SAMLProviderArn=arn)
    iam.delete_saml_provider(SAMLProviderArn=arn)
    with refused("NoSuchEntity", status=404):
        iam.get_saml_provider(SAMLProviderArn=arn)
