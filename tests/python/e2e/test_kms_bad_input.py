"""KMS and requests that must fail: each has AWS's code, and a message that says what was wrong.

What each test breaks it also does right, so that the refusal is of what is broken.
"""

import base64
import json
import os

import pytest

from support import allow, deny, policy, refused, statement

@pytest.fixture
def kms(account):
    return account.client("kms", parameter_validation=False)


@pytest.fixture(autouse=True)
def still_up(server):
    yield
    assert server.running()


def new_key(kms, **more):
    return kms.create_key(**more)["KeyMetadata"]


def sealed(kms, key, context=None, plaintext=b"plain"):
    return kms.encrypt(KeyId=key["KeyId"], Plaintext=plaintext, EncryptionContext=context or {})["CiphertextBlob"]


def key_policy(account, *more):
    root = {"AWS": f"arn:aws:iam::{account.id}:root"}
    return json.dumps(policy({**statement("Allow", "kms:*"), "Principal": root}, *more))


# ---- ciphertexts and their context --------------------------------------------------------------------------------


def test_a_context_that_is_not_the_one(kms):
    key = new_key(kms)
    right = {"team": "red", "stage": "dev"}
    blob = sealed(kms, key, right)
    assert kms.decrypt(CiphertextBlob=blob, EncryptionContext=dict(reversed(right.items())))["Plaintext"] == b"plain"
    for wrong in (
        {}, {"team": "red"}, {**right, "more": "x"}, {"team": "blue", "stage": "dev"}, {"Team": "red", "stage": "dev"},
        {"team": "red ", "stage": "dev"}, {"team": "dev", "stage": "red"}, {"teamred": "stage", "dev": ""},
    ):
        with refused("InvalidCiphertextException", status=400):
            kms.decrypt(CiphertextBlob=blob, EncryptionContext=wrong)
        with refused("InvalidCiphertextException", status=400):
            kms.re_encrypt(CiphertextBlob=blob, SourceEncryptionContext=wrong, DestinationKeyId=key["KeyId"])
    data = kms.generate_data_key(KeyId=key["KeyId"], KeySpec="AES_256", EncryptionContext=right)
    with refused("InvalidCiphertextException"):
        kms.decrypt(CiphertextBlob=data["CiphertextBlob"])


def test_contexts_that_are_none(kms):
    key = new_key(kms)
    with refused("ValidationException", status=400):
        kms.encrypt(KeyId=key["KeyId"], Plaintext=b"x", EncryptionContext={"a": "v" * 9000})
    rsa = new_key(kms, KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")
    with refused("ValidationException", "encryption context", "RSA_2048"):
        kms.encrypt(KeyId=rsa["KeyId"], Plaintext=b"x", EncryptionAlgorithm="RSAES_OAEP_SHA_256", EncryptionContext={"a": "b"})


def test_ciphertexts_altered_in_any_place(kms):
    key = new_key(kms)
    blob = sealed(kms, key, {"a": "1"}, os.urandom(100))

    def decrypt(bad):
        kms.decrypt(CiphertextBlob=bad, EncryptionContext={"a": "1"}, KeyId=key["KeyId"])

    for at in range(0, len(blob), 7):
        for bit in (1, 128):
            bad = bytearray(blob)
            bad[at] ^= bit
            # Where the bytes that name the key are hit, another key is named, and the caller named one.
            with pytest.raises(kms.exceptions.ClientError) as found:
                decrypt(bytes(bad))
            assert found.value.response["Error"]["Code"] in ("InvalidCiphertextException", "IncorrectKeyException"), (at, bit)
    for bad in (blob[:-1], blob[1:], blob + b"x", blob[: len(blob) // 2], blob * 2, b"x", os.urandom(200), b"\x00" * 6144):
        with refused("InvalidCiphertextException", status=400):
            decrypt(bad)
    with refused("ValidationException"):
        decrypt(b"")
    with refused("ValidationException"):
        decrypt(b"x" * 6145)
    # A good head on another's tail.
    other = sealed(kms, key, {"a": "1"}, os.urandom(100))
    for cut in (len(blob) // 2, len(blob) - 16):
        with refused("InvalidCiphertextException"):
            decrypt(blob[:cut] + other[cut:])


def test_ciphertexts_of_another_key_region_or_account(server, account, kms):
    key, other = new_key(kms), new_key(kms)
    blob = sealed(kms, key)
    with refused("IncorrectKeyException", "does not identify a CMK", status=400):
        kms.decrypt(CiphertextBlob=blob, KeyId=other["KeyId"])
    with refused("IncorrectKeyException"):
        kms.re_encrypt(CiphertextBlob=blob, SourceKeyId=other["KeyId"], DestinationKeyId=key["KeyId"])
    stranger = server.new_account("stranger").client("kms")
    with refused("AccessDeniedException", "does not exist in this region, or you are not allowed to access", status=400):
        stranger.decrypt(CiphertextBlob=blob)
    with refused("AccessDeniedException", "kms:DescribeKey", status=400):
        stranger.describe_key(KeyId=key["Arn"])
    missing = account.arn("key/00000000-0000-0000-0000-000000000000", service="kms")
    with refused("NotFoundException", missing, "does not exist", status=400):
        kms.encrypt(KeyId=missing, Plaintext=b"x")


# ---- sizes --------------------------------------------------------------------------------------------------------


def test_plaintexts_that_are_too_large(kms):
    key = new_key(kms)
    assert len(kms.decrypt(CiphertextBlob=sealed(kms, key, plaintext=b"x" * 4096))["Plaintext"]) == 4096
    with refused("ValidationException", "plaintext", "4096", status=400):
        kms.encrypt(KeyId=key["KeyId"], Plaintext=b"x" * 4097)
    with refused("ValidationException", "plaintext"):
        kms.encrypt(KeyId=key["KeyId"], Plaintext=b"")
    for spec, limits in (("RSA_2048", (214, 190)), ("RSA_3072", (342, 318))):
        rsa = new_key(kms, KeySpec=spec, KeyUsage="ENCRYPT_DECRYPT")
        for algorithm, limit in zip(("RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"), limits):
            kms.encrypt(KeyId=rsa["KeyId"], Plaintext=b"x" * limit, EncryptionAlgorithm=algorithm)
            with refused("ValidationException", str(limit), status=400):
                kms.encrypt(KeyId=rsa["KeyId"], Plaintext=b"x" * (limit + 1), EncryptionAlgorithm=algorithm)


def test_messages_digests_and_lengths(kms):
    signing = new_key(kms, KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    sign = {"KeyId": signing["KeyId"], "SigningAlgorithm": "ECDSA_SHA_256"}
    kms.sign(Message=b"x" * 4096, **sign)
    with refused("ValidationException", "message"):
        kms.sign(Message=b"x" * 4097, **sign)
    for length in (0, 31, 33, 64):
        with refused("ValidationException"):
            kms.sign(Message=b"x" * length, MessageType="DIGEST", **sign)
    hmac = new_key(kms, KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
    with refused("ValidationException"):
        kms.generate_mac(KeyId=hmac["KeyId"], Message=b"x" * 4097, MacAlgorithm="HMAC_SHA_256")
    for count in (0, 1025, -1):
        with refused("ValidationException", "numberOfBytes"):
            kms.generate_random(NumberOfBytes=count)
    key = new_key(kms)
    with refused("ValidationException"):
        kms.generate_data_key(KeyId=key["KeyId"])
    with refused("ValidationException"):
        kms.generate_data_key(KeyId=key["KeyId"], KeySpec="AES_256", NumberOfBytes=32)
    with refused("ValidationException", "keySpec"):
        kms.generate_data_key(KeyId=key["KeyId"], KeySpec="AES_192")


# ---- uses ---------------------------------------------------------------------------------------------------------


def test_keys_of_another_usage(kms):
    kinds = {
        "encrypt": new_key(kms),
        "sign": new_key(kms, KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY"),
        "mac": new_key(kms, KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC"),
        "agree": new_key(kms, KeySpec="ECC_NIST_P384", KeyUsage="KEY_AGREEMENT"),
        "rsa": new_key(kms, KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT"),
    }
    calls = {
        "Encrypt": (("encrypt",), lambda key: kms.encrypt(KeyId=key, Plaintext=b"x")),
        "Sign": (("sign",), lambda key: kms.sign(KeyId=key, Message=b"x", SigningAlgorithm="ECDSA_SHA_256")),
        "Verify": ((), lambda key: kms.verify(KeyId=key, Message=b"x", Signature=b"x" * 70, SigningAlgorithm="ECDSA_SHA_256")),
        "GenerateMac": (("mac",), lambda key: kms.generate_mac(KeyId=key, Message=b"x", MacAlgorithm="HMAC_SHA_256")),
        "GenerateDataKey": (("encrypt",), lambda key: kms.generate_data_key(KeyId=key, KeySpec="AES_256")),
        "GenerateDataKeyPair": (("encrypt",), lambda key: kms.generate_data_key_pair(KeyId=key, KeyPairSpec="ECC_NIST_P256")),
        "EnableKeyRotation": (("encrypt",), lambda key: kms.enable_key_rotation(KeyId=key)),
        "GetPublicKey": (("sign", "agree", "rsa"), lambda key: kms.get_public_key(KeyId=key)),
    }
    wrong = {
        ("Encrypt", "rsa"), ("Verify", "sign"), ("GenerateDataKey", "rsa"), ("GenerateDataKeyPair", "rsa"),
    }
    for name, (good, call) in calls.items():
        for kind, key in kinds.items():
            if (name, kind) in wrong:
                continue
            if kind in good:
                call(key["KeyId"])
                continue
            with pytest.raises(kms.exceptions.ClientError) as found:
                call(key["KeyId"])
            error = found.value.response["Error"]
            codes = ("UnsupportedOperationException",) if name in ("GetPublicKey", "EnableKeyRotation") else ("InvalidKeyUsageException",)
            assert error["Code"] in codes, (name, kind, error)
            assert error["Code"] == "UnsupportedOperationException" or "key usage" in error["Message"], (name, kind, error)


def test_algorithms_of_another_kind_of_key(kms):
    rsa = new_key(kms, KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")
    curve = new_key(kms, KeySpec="ECC_NIST_P384", KeyUsage="SIGN_VERIFY")
    for key, algorithm in ((rsa, "ECDSA_SHA_256"), (curve, "RSASSA_PSS_SHA_256"), (curve, "ECDSA_SHA_256")):
        with refused("InvalidKeyUsageException", algorithm, key["KeySpec"], status=400):
            kms.sign(KeyId=key["KeyId"], Message=b"x", SigningAlgorithm=algorithm)
    with refused("ValidationException", "signingAlgorithm"):
        kms.sign(KeyId=rsa["KeyId"], Message=b"x", SigningAlgorithm="MD5")
    mac = new_key(kms, KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
    with refused("InvalidKeyUsageException", "HMAC_SHA_512"):
        kms.generate_mac(KeyId=mac["KeyId"], Message=b"x", MacAlgorithm="HMAC_SHA_512")
    encrypting = new_key(kms, KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")
    with refused("InvalidKeyUsageException", "SYMMETRIC_DEFAULT"):
        kms.encrypt(KeyId=encrypting["KeyId"], Plaintext=b"x", EncryptionAlgorithm="SYMMETRIC_DEFAULT")
    signature = kms.sign(KeyId=rsa["KeyId"], Message=b"x", SigningAlgorithm="RSASSA_PSS_SHA_256")["Signature"]
    for bad in (signature[:-1], b"x", bytes(256), signature[::-1]):
        with refused("KMSInvalidSignatureException"):
            kms.verify(KeyId=rsa["KeyId"], Message=b"x", Signature=bad, SigningAlgorithm="RSASSA_PSS_SHA_256")


@pytest.mark.parametrize(
    "request_", [
        {"KeySpec": "RSA_2048"}, {"KeySpec": "HMAC_256", "KeyUsage": "SIGN_VERIFY"}, {"KeySpec": "ECC_SECG_P256K1", "KeyUsage": "KEY_AGREEMENT"},
        {"KeySpec": "SYMMETRIC_DEFAULT", "KeyUsage": "SIGN_VERIFY"}, {"KeySpec": "ECC_NIST_P256", "KeyUsage": "ENCRYPT_DECRYPT"},
        {"KeySpec": "RSA_1024", "KeyUsage": "SIGN_VERIFY"}, {"KeyUsage": "NONSENSE"}, {"Description": "d" * 8193},
    ],
)
def test_keys_that_cannot_be(kms, request_):
    with refused("ValidationException", status=400):
        kms.create_key(**request_)


# ---- states -------------------------------------------------------------------------------------------------------


def uses(kms, key, blob):
    """Everything that a key of this kind does, and how what manages it goes on."""
    name = key["KeyId"]
    return {
        "Encrypt": lambda: kms.encrypt(KeyId=name, Plaintext=b"x"),
        "Decrypt": lambda: kms.decrypt(CiphertextBlob=blob),
        "GenerateDataKey": lambda: kms.generate_data_key(KeyId=name, KeySpec="AES_256"),
        "GenerateDataKeyWithoutPlaintext": lambda: kms.generate_data_key_without_plaintext(KeyId=name, KeySpec="AES_256"),
        "GenerateDataKeyPair": lambda: kms.generate_data_key_pair(KeyId=name, KeyPairSpec="ECC_NIST_P256"),
        "ReEncrypt": lambda: kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=name),
        "EnableKeyRotation": lambda: kms.enable_key_rotation(KeyId=name),
        "RotateKeyOnDemand": lambda: kms.rotate_key_on_demand(KeyId=name),
    }


def test_a_disabled_key_does_nothing(kms, account):
    key = new_key(kms)
    blob = sealed(kms, key)
    kms.disable_key(KeyId=key["KeyId"])
    role = account.new_role("Worker")
    calls = uses(kms, key, blob)
    calls["CreateGrant"] = lambda: kms.create_grant(KeyId=key["KeyId"], GranteePrincipal=role, Operations=["Decrypt"])
    for call in calls.values():
        with refused("DisabledException", key["Arn"], "is disabled", status=400):
            call()
    # What manages it goes on.
    kms.update_key_description(KeyId=key["KeyId"], Description="off")
    kms.create_alias(AliasName="alias/off", TargetKeyId=key["KeyId"])
    kms.enable_key(KeyId=key["KeyId"])
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"plain"


def test_a_key_that_waits_for_its_deletion(kms, account):
    key = new_key(kms)
    blob = sealed(kms, key)
    name = key["KeyId"]
    for days in (6, 31, 0, -1):
        with refused("ValidationException", status=400):
            kms.schedule_key_deletion(KeyId=name, PendingWindowInDays=days)
    answer = kms.schedule_key_deletion(KeyId=name, PendingWindowInDays=7)
    assert answer["KeyState"] == "PendingDeletion"
    calls = uses(kms, key, blob)
    calls.update(
        EnableKey=lambda: kms.enable_key(KeyId=name), DisableKey=lambda: kms.disable_key(KeyId=name),
        CreateAlias=lambda: kms.create_alias(AliasName="alias/dying", TargetKeyId=name),
        UpdateKeyDescription=lambda: kms.update_key_description(KeyId=name, Description="d"),
        ScheduleKeyDeletion=lambda: kms.schedule_key_deletion(KeyId=name, PendingWindowInDays=8),
        TagResource=lambda: kms.tag_resource(KeyId=name, Tags=[{"TagKey": "a", "TagValue": "b"}]),
        CreateGrant=lambda: kms.create_grant(KeyId=name, GranteePrincipal=f"arn:aws:iam::{account.id}:root", Operations=["Decrypt"]),
    )
    for call in calls.values():
        with refused("KMSInvalidStateException", key["Arn"], "is pending deletion", status=400):
            call()
    kms.cancel_key_deletion(KeyId=name)
    with refused("KMSInvalidStateException", "is not pending deletion"):
        kms.cancel_key_deletion(KeyId=name)
    kms.enable_key(KeyId=name)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"plain"


def test_keys_of_aws_are_not_the_customers_to_change(kms):
    arn = kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]["Arn"]
    for call in (
        lambda: kms.schedule_key_deletion(KeyId=arn), lambda: kms.disable_key(KeyId=arn),
        lambda: kms.put_key_policy(KeyId=arn, PolicyName="default", Policy="{}"),
        lambda: kms.update_key_description(KeyId=arn, Description="d"),
        lambda: kms.create_alias(AliasName="alias/own", TargetKeyId=arn),
        lambda: kms.enable_key_rotation(KeyId=arn),
    ):
        with pytest.raises(kms.exceptions.ClientError) as found:
            call()
        assert found.value.response["Error"]["Code"] in ("AccessDeniedException", "KMSInvalidStateException", "ValidationException", "NotAuthorizedException"), found.value


# ---- policies -----------------------------------------------------------------------------------------------------


def test_policies_that_are_none(kms, account):
    key = new_key(kms)
    before = kms.get_key_policy(KeyId=key["KeyId"])["Policy"]
    root = {"AWS": f"arn:aws:iam::{account.id}:root"}
    whole = {**statement("Allow", "kms:*"), "Principal": root}

    def without(name):
        return json.dumps(policy({part: value for part, value in whole.items() if part != name}))

    texts = [
        "{", "[]", "nonsense", "{}", without("Principal"), without("Action"), without("Resource"), without("Effect"),
        json.dumps(policy({**whole, "Effect": "Maybe"})), json.dumps({"Version": "1999-01-01", "Statement": [whole]}),
        json.dumps(policy({**whole, "Condition": {"Sometimes": {"a": "b"}}})), json.dumps(policy({**whole, "Principal": {"Nobody": "x"}})),
    ]
    for text in texts:
        with refused("MalformedPolicyDocumentException", status=400) as found:
            kms.put_key_policy(KeyId=key["KeyId"], Policy=text)
        assert found.message
        with refused("MalformedPolicyDocumentException", status=400):
            kms.create_key(Policy=text)
    with refused("LimitExceededException", "32768"):
        kms.put_key_policy(KeyId=key["KeyId"], Policy=json.dumps(policy({**whole, "Sid": "s" * 33_000})))
    with refused("NotFoundException", "No such policy exists"):
        kms.put_key_policy(KeyId=key["KeyId"], Policy=before, PolicyName="other")
    assert kms.get_key_policy(KeyId=key["KeyId"])["Policy"] == before


def test_policies_that_lock_everybody_out(kms, account):
    key = new_key(kms)
    locked = "will not allow you to update the key policy in the future"
    reader = {**statement("Allow", "kms:Describe*"), "Principal": {"AWS": f"arn:aws:iam::{account.id}:root"}}
    shut = {**statement("Deny", "kms:PutKeyPolicy"), "Principal": "*"}
    for text in (json.dumps(policy(reader)), key_policy(account, shut)):
        with refused("MalformedPolicyDocumentException", locked, status=400):
            kms.put_key_policy(KeyId=key["KeyId"], Policy=text)
        with refused("MalformedPolicyDocumentException", locked, status=400):
            kms.create_key(Policy=text)
    made = new_key(kms, Policy=json.dumps(policy(reader)), BypassPolicyLockoutSafetyCheck=True)
    assert kms.describe_key(KeyId=made["KeyId"])["KeyMetadata"]["KeyState"] == "Enabled"
    with refused("AccessDeniedException", "kms:ScheduleKeyDeletion", status=400):
        kms.schedule_key_deletion(KeyId=made["KeyId"])


def test_a_deny_in_the_key_policy_holds_for_administrators(kms, account):
    key = new_key(kms)
    shut = {**statement("Deny", "kms:Encrypt"), "Principal": "*", "Condition": {"StringNotEquals": {"kms:EncryptionContext:team": "red"}}}
    kms.put_key_policy(KeyId=key["KeyId"], Policy=key_policy(account, shut))
    kms.encrypt(KeyId=key["KeyId"], Plaintext=b"x", EncryptionContext={"team": "red"})
    with refused("AccessDeniedException", "kms:Encrypt", "explicit deny", status=400):
        kms.encrypt(KeyId=key["KeyId"], Plaintext=b"x")
    denied = account.new_user("denied", allow("kms:*"), deny("kms:Decrypt"))
    blob = sealed(kms, key, {"team": "red"})
    # Without a key's name in the call, the answer does not tell which key it is.
    with refused("AccessDeniedException", "you are not allowed to access", status=400):
        denied.client("kms").decrypt(CiphertextBlob=blob, EncryptionContext={"team": "red"})
    with refused("AccessDeniedException", "kms:Decrypt", "explicit deny"):
        denied.client("kms").decrypt(CiphertextBlob=blob, EncryptionContext={"team": "red"}, KeyId=key["KeyId"])


# ---- grants -------------------------------------------------------------------------------------------------------


def test_grants_that_cannot_be(kms, account):
    key = new_key(kms)
    who = account.new_role("Worker")
    good = {"KeyId": key["KeyId"], "GranteePrincipal": who, "Operations": ["Decrypt"]}
    with refused("ValidationException", "operations", status=400):
        kms.create_grant(**{**good, "Operations": ["ScheduleKeyDeletion"]})
    with refused("ValidationException", "operation", status=400):
        kms.create_grant(**{**good, "Operations": ["Sign"]})
    for principal in ("nobody", "arn:aws:iam::1:role/x"):
        with refused("InvalidArnException", status=400):
            kms.create_grant(**{**good, "GranteePrincipal": principal})
    with refused("ValidationException", "granteePrincipal"):
        kms.create_grant(**{**good, "GranteePrincipal": "*"})
    with refused("ValidationException"):
        kms.create_grant(**{**good, "Name": "a b"})
    assert kms.list_grants(KeyId=key["KeyId"])["Grants"] == []
    # The same request under the same name is the same grant.
    first = kms.create_grant(**good, Name="one")["GrantId"]
    assert kms.create_grant(**good, Name="one")["GrantId"] == first
    other = new_key(kms)
    kms.revoke_grant(KeyId=key["KeyId"], GrantId=first)
    for where, grant in ((key, "nonsense"), (key, "0" * 64), (key, first), (other, first)):
        with refused("InvalidGrantIdException", "grant ID is not valid", status=400):
            kms.revoke_grant(KeyId=where["KeyId"], GrantId=grant)


def test_grant_tokens_that_are_none(kms, account):
    key = new_key(kms)
    token = kms.create_grant(KeyId=key["KeyId"], GranteePrincipal=account.new_role("Worker"), Operations=["Decrypt", "RetireGrant"])["GrantToken"]
    for bad in ("nonsense", token[:-4] + "AAAA", token[4:], base64.b64encode(os.urandom(100)).decode(), token + "A"):
        with refused("InvalidGrantTokenException", status=400):
            kms.retire_grant(GrantToken=bad)
        with refused("InvalidGrantTokenException", status=400):
            kms.describe_key(KeyId=key["KeyId"], GrantTokens=[bad])
    for request in ({}, {"KeyId": key["KeyId"]}, {"GrantId": "0" * 64}, {"GrantToken": token, "KeyId": key["KeyId"]}):
        with refused("ValidationException", "either a grant token, or a key ID and a grant ID", status=400):
            kms.retire_grant(**request)
    with refused("ValidationException"):
        kms.describe_key(KeyId=key["KeyId"], GrantTokens=[token] * 11)
    kms.retire_grant(GrantToken=token)
    assert kms.list_grants(KeyId=key["KeyId"])["Grants"] == []


def test_a_grant_is_no_more_than_it_says(kms, account):
    key, other = new_key(kms), new_key(kms)
    user = account.new_user("worker")
    arn = user.client("sts").get_caller_identity()["Arn"]
    grant = kms.create_grant(
        KeyId=key["KeyId"], GranteePrincipal=arn, Operations=["Decrypt", "CreateGrant"],
        Constraints={"EncryptionContextEquals": {"team": "red"}},
    )
    theirs = user.client("kms", parameter_validation=False)
    blob = sealed(kms, key, {"team": "red"})
    assert theirs.decrypt(CiphertextBlob=blob, EncryptionContext={"team": "red"})["Plaintext"] == b"plain"
    wide = sealed(kms, key, {"team": "red", "more": "x"})
    for call in (
        lambda: theirs.decrypt(CiphertextBlob=wide, EncryptionContext={"team": "red", "more": "x"}),
        lambda: theirs.encrypt(KeyId=key["KeyId"], Plaintext=b"x", EncryptionContext={"team": "red"}),
        lambda: theirs.describe_key(KeyId=key["KeyId"]),
        lambda: theirs.decrypt(CiphertextBlob=sealed(kms, other, {"team": "red"}), EncryptionContext={"team": "red"}),
        # A grantee hands on what it has, not more.
        lambda: theirs.create_grant(KeyId=key["KeyId"], GranteePrincipal=arn, Operations=["Encrypt"], Constraints={"EncryptionContextEquals": {"team": "red"}}),
        lambda: theirs.create_grant(KeyId=key["KeyId"], GranteePrincipal=arn, Operations=["Decrypt"]),
    ):
        with refused("AccessDeniedException", status=400) as found:
            call()
        assert "is not authorized to perform: kms:" in found.message or "you are not allowed to access" in found.message
    kms.revoke_grant(KeyId=key["KeyId"], GrantId=grant["GrantId"])
    with refused("AccessDeniedException", status=400):
        theirs.decrypt(CiphertextBlob=blob, EncryptionContext={"team": "red"})


# ---- aliases, tags, pages -----------------------------------------------------------------------------------------


def test_aliases_that_clash_or_cannot_be(server, kms, account):
    key, other = new_key(kms), new_key(kms)
    kms.create_alias(AliasName="alias/one", TargetKeyId=key["KeyId"])
    with refused("AlreadyExistsException", account.arn("alias/one", service="kms"), "already exists", status=400):
        kms.create_alias(AliasName="alias/one", TargetKeyId=other["KeyId"])
    assert kms.describe_key(KeyId="alias/one")["KeyMetadata"]["KeyId"] == key["KeyId"]
    with refused("NotAuthorizedException", status=400):
        kms.create_alias(AliasName="alias/aws/mine", TargetKeyId=key["KeyId"])
    for name in ("one", "alias/", "alias/a b", "alias/" + "x" * 251, "alias/ä"):
        with refused("ValidationException", status=400):
            kms.create_alias(AliasName=name, TargetKeyId=key["KeyId"])
    for target in ("alias/one", "nonsense", account.arn("alias/one", service="kms")):
        with pytest.raises(kms.exceptions.ClientError) as found:
            kms.create_alias(AliasName="alias/two", TargetKeyId=target)
        assert found.value.response["Error"]["Code"] in ("NotFoundException", "ValidationException"), found.value
    with refused("NotFoundException", "alias/none", "is not found", status=400):
        kms.encrypt(KeyId="alias/none", Plaintext=b"x")
    with refused("NotFoundException", "alias/none"):
        kms.update_alias(AliasName="alias/none", TargetKeyId=key["KeyId"])
    with refused("NotFoundException", "alias/none"):
        kms.delete_alias(AliasName="alias/none")
    signing = new_key(kms, KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    with refused("ValidationException", status=400):
        kms.update_alias(AliasName="alias/one", TargetKeyId=signing["KeyId"])
    # The same name in another account is another alias.
    foreign = server.new_account("foreign").client("kms")
    mine = new_key(foreign)
    foreign.create_alias(AliasName="alias/one", TargetKeyId=mine["KeyId"])
    kms.update_alias(AliasName="alias/one", TargetKeyId=other["KeyId"])
    assert foreign.describe_key(KeyId="alias/one")["KeyMetadata"]["KeyId"] == mine["KeyId"]
    with refused("AccessDeniedException", status=400):
        foreign.create_alias(AliasName="alias/theirs", TargetKeyId=key["Arn"])


def test_tags_and_pages_that_are_none(kms):
    key = new_key(kms)
    name = key["KeyId"]
    with refused("TagException", status=400):
        kms.tag_resource(KeyId=name, Tags=[{"TagKey": "a", "TagValue": "1"}, {"TagKey": "a", "TagValue": "2"}])
    with refused("TagException", "aws:", status=400):
        kms.tag_resource(KeyId=name, Tags=[{"TagKey": "aws:x", "TagValue": "1"}])
    with refused("TagException", "Too many tags", status=400):
        kms.tag_resource(KeyId=name, Tags=[{"TagKey": f"k{number}", "TagValue": "v"} for number in range(51)])
    with refused("ValidationException", "tagKey"):
        kms.tag_resource(KeyId=name, Tags=[{"TagKey": "k" * 129, "TagValue": "v"}])
    assert kms.list_resource_tags(KeyId=name)["Tags"] == []
    for call in (kms.list_keys, kms.list_aliases):
        with refused("InvalidMarkerException", status=400):
            call(Marker="nonsense")
        for limit in (0, 1001, -1):
            with refused("ValidationException", "limit", status=400):
                call(Limit=limit)
    with refused("InvalidMarkerException", status=400):
        kms.list_grants(KeyId=name, Marker="bm9uc2Vuc2U=")


@pytest.mark.parametrize("name", ["", "nonsense", "alias/", "arn:aws:kms", "arn:aws:s3:::bucket", "mrk-1", "../..", "k" * 2049, "00000000-0000-0000-0000-00000000000g"])
def test_names_that_are_no_keys(kms, name):
    with pytest.raises(kms.exceptions.ClientError) as found:
        kms.describe_key(KeyId=name)
    error = found.value.response["Error"]
    assert error["Code"] in ("NotFoundException", "ValidationException", "InvalidArnException"), error
    assert error["Message"], error
