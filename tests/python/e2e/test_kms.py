"""KMS through boto3, held to another implementation: signatures, MACs, OAEP and ECDH are checked with `cryptography`.

Then what an operator relies on: keys outlive a restart and `kill -9`, nothing of them is in the journal, and the master
key can be replaced, also when the command dies in the middle.
"""

import base64
import hashlib
import hmac
import json
import os
import subprocess

import pytest
from botocore.exceptions import ClientError
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, utils

from support import REGION, allow, clean_environment, refused

HASHES = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}


@pytest.fixture
def kms(account):
    return account.client("kms")


def new_key(kms, **more):
    return kms.create_key(**more)["KeyMetadata"]


def public_key(kms, key):
    return serialization.load_der_public_key(kms.get_public_key(KeyId=key["KeyId"])["PublicKey"])


def test_a_key_from_its_making_to_its_deletion(account, kms):
    key = new_key(kms, Description="d", Tags=[{"TagKey": "team", "TagValue": "red"}])
    assert key["Arn"] == account.arn(f"key/{key['KeyId']}", service="kms")
    assert (key["KeyState"], key["KeyManager"], key["Origin"]) == ("Enabled", "CUSTOMER", "AWS_KMS")
    kms.create_alias(AliasName="alias/mine", TargetKeyId=key["KeyId"])
    for name in (key["KeyId"], key["Arn"], "alias/mine", account.arn("alias/mine", service="kms")):
        assert kms.describe_key(KeyId=name)["KeyMetadata"]["KeyId"] == key["KeyId"]
    assert key["KeyId"] in [entry["KeyId"] for page in kms.get_paginator("list_keys").paginate() for entry in page["Keys"]]
    assert kms.list_resource_tags(KeyId=key["KeyId"])["Tags"] == [{"TagKey": "team", "TagValue": "red"}]

    kms.disable_key(KeyId=key["KeyId"])
    with refused("DisabledException", f"{key['Arn']} is disabled.", status=400):
        kms.encrypt(KeyId="alias/mine", Plaintext=b"x")
    kms.enable_key(KeyId=key["KeyId"])
    kms.schedule_key_deletion(KeyId=key["KeyId"], PendingWindowInDays=7)
    with refused("KMSInvalidStateException", f"{key['Arn']} is pending deletion."):
        kms.encrypt(KeyId=key["KeyId"], Plaintext=b"x")
    kms.cancel_key_deletion(KeyId=key["KeyId"])
    assert kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]["KeyState"] == "Disabled"
    with refused("NotFoundException", "Invalid keyId 'nonsense'"):
        kms.describe_key(KeyId="nonsense")


def test_encryption_is_bound_to_its_context(kms):
    key = new_key(kms)
    blob = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"plain", EncryptionContext={"a": "1"})["CiphertextBlob"]
    opened = kms.decrypt(CiphertextBlob=blob, EncryptionContext={"a": "1"})
    assert (opened["Plaintext"], opened["KeyId"]) == (b"plain", key["Arn"])
    with refused("InvalidCiphertextException"):
        kms.decrypt(CiphertextBlob=blob, EncryptionContext={"a": "2"})
    with refused("InvalidCiphertextException"):
        kms.decrypt(CiphertextBlob=blob[:-1] + bytes([blob[-1] ^ 1]), EncryptionContext={"a": "1"})
    with refused("IncorrectKeyException", "does not identify a CMK that can perform this operation"):
        kms.decrypt(CiphertextBlob=blob, EncryptionContext={"a": "1"}, KeyId=new_key(kms)["KeyId"])
    with refused("DryRunOperationException", "but the DryRun option is set", status=400):
        kms.encrypt(KeyId=key["KeyId"], Plaintext=b"plain", DryRun=True)
    kms.rotate_key_on_demand(KeyId=key["KeyId"])
    assert kms.decrypt(CiphertextBlob=blob, EncryptionContext={"a": "1"})["Plaintext"] == b"plain"
    data = kms.generate_data_key(KeyId=key["KeyId"], KeySpec="AES_256")
    assert kms.decrypt(CiphertextBlob=data["CiphertextBlob"])["Plaintext"] == data["Plaintext"]


def test_rsa_signatures_verify_elsewhere_and_others_verify_here(kms):
    key = new_key(kms, KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")
    public = public_key(kms, key)
    assert public.key_size == 2048
    for algorithm in key["SigningAlgorithms"]:
        digest = HASHES[algorithm[-3:]]()
        pss = padding.PSS(padding.MGF1(digest), salt_length=digest.digest_size)
        scheme = pss if "PSS" in algorithm else padding.PKCS1v15()
        raw = kms.sign(KeyId=key["KeyId"], Message=b"message", SigningAlgorithm=algorithm)["Signature"]
        public.verify(raw, b"message", scheme, digest)
        with pytest.raises(InvalidSignature):
            public.verify(raw, b"massage", scheme, digest)
        hashed = hashlib.new(f"sha{algorithm[-3:]}", b"message").digest()
        signed = kms.sign(KeyId=key["KeyId"], Message=hashed, MessageType="DIGEST", SigningAlgorithm=algorithm)["Signature"]
        public.verify(signed, hashed, scheme, utils.Prehashed(digest))
        assert kms.verify(KeyId=key["KeyId"], Message=b"message", Signature=signed, SigningAlgorithm=algorithm)["SignatureValid"]
        with refused("KMSInvalidSignatureException"):
            kms.verify(KeyId=key["KeyId"], Message=b"massage", Signature=signed, SigningAlgorithm=algorithm)


def test_the_largest_rsa_key_signs_and_opens(kms):
    key = new_key(kms, KeySpec="RSA_4096", KeyUsage="SIGN_VERIFY")
    public = public_key(kms, key)
    assert public.key_size == 4096
    pss = padding.PSS(padding.MGF1(hashes.SHA512()), salt_length=64)
    for algorithm, scheme in (("RSASSA_PSS_SHA_512", pss), ("RSASSA_PKCS1_V1_5_SHA_512", padding.PKCS1v15())):
        made = kms.sign(KeyId=key["KeyId"], Message=b"message", SigningAlgorithm=algorithm)["Signature"]
        assert len(made) == 512
        public.verify(made, b"message", scheme, hashes.SHA512())
        with pytest.raises(InvalidSignature):
            public.verify(made, b"massage", scheme, hashes.SHA512())
    wrapping = new_key(kms)
    pair = kms.generate_data_key_pair(KeyId=wrapping["KeyId"], KeyPairSpec="RSA_4096")
    private = serialization.load_der_private_key(pair["PrivateKeyPlaintext"], None)
    assert private.key_size == 4096
    assert kms.decrypt(CiphertextBlob=pair["PrivateKeyCiphertextBlob"])["Plaintext"] == pair["PrivateKeyPlaintext"]


@pytest.mark.parametrize(
    "spec,algorithm,curve",
    [
        ("ECC_NIST_P256", "ECDSA_SHA_256", "secp256r1"),
        ("ECC_NIST_P384", "ECDSA_SHA_384", "secp384r1"),
        ("ECC_NIST_P521", "ECDSA_SHA_512", "secp521r1"),
        ("ECC_SECG_P256K1", "ECDSA_SHA_256", "secp256k1"),
    ],
)
def test_ecdsa_signatures_verify_elsewhere_and_pairs_made_here_sign_there(kms, spec, algorithm, curve):
    key = new_key(kms, KeySpec=spec, KeyUsage="SIGN_VERIFY")
    public = public_key(kms, key)
    assert public.curve.name == curve
    scheme = ec.ECDSA(HASHES[algorithm[-3:]]())
    signature = kms.sign(KeyId=key["KeyId"], Message=b"message", SigningAlgorithm=algorithm)["Signature"]
    public.verify(signature, b"message", scheme)
    with pytest.raises(InvalidSignature):
        public.verify(signature, b"massage", scheme)
    # The other form of the same signature is one too, as OpenSSL makes them.
    order = {"secp256k1": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141}.get(curve)
    if order:
        r, s = utils.decode_dss_signature(signature)
        turned = utils.encode_dss_signature(r, order - s)
        assert kms.verify(KeyId=key["KeyId"], Message=b"message", Signature=turned, SigningAlgorithm=algorithm)["SignatureValid"]
    wrapping = new_key(kms)
    pair = kms.generate_data_key_pair(KeyId=wrapping["KeyId"], KeyPairSpec=spec)
    private = serialization.load_der_private_key(pair["PrivateKeyPlaintext"], None)
    made = serialization.load_der_public_key(pair["PublicKey"])
    made.verify(private.sign(b"message", scheme), b"message", scheme)
    opened = kms.decrypt(CiphertextBlob=pair["PrivateKeyCiphertextBlob"])["Plaintext"]
    assert opened == pair["PrivateKeyPlaintext"]


def test_oaep_opens_what_was_encrypted_elsewhere(kms):
    key = new_key(kms, KeySpec="RSA_3072", KeyUsage="ENCRYPT_DECRYPT")
    public = public_key(kms, key)
    for algorithm, digest in (("RSAES_OAEP_SHA_1", hashes.SHA1), ("RSAES_OAEP_SHA_256", hashes.SHA256)):
        scheme = padding.OAEP(padding.MGF1(digest()), digest(), None)
        there = public.encrypt(b"plain", scheme)
        here = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"plain", EncryptionAlgorithm=algorithm)["CiphertextBlob"]
        for blob in (there, here):
            opened = kms.decrypt(KeyId=key["KeyId"], CiphertextBlob=blob, EncryptionAlgorithm=algorithm)
            assert opened["Plaintext"] == b"plain"


@pytest.mark.parametrize("spec", ["ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521"])
def test_a_shared_secret_is_the_same_on_both_sides(kms, spec):
    key = new_key(kms, KeySpec=spec, KeyUsage="KEY_AGREEMENT")
    public = public_key(kms, key)
    private = ec.generate_private_key(public.curve)
    der = private.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    derived = kms.derive_shared_secret(KeyId=key["KeyId"], KeyAgreementAlgorithm="ECDH", PublicKey=der)
    assert derived["SharedSecret"] == private.exchange(ec.ECDH(), public)


@pytest.mark.parametrize("bits", ["224", "256", "384", "512"])
def test_macs_have_their_length_and_verify(kms, bits):
    key, algorithm = new_key(kms, KeySpec=f"HMAC_{bits}", KeyUsage="GENERATE_VERIFY_MAC"), f"HMAC_SHA_{bits}"
    mac = kms.generate_mac(KeyId=key["KeyId"], Message=b"message", MacAlgorithm=algorithm)["Mac"]
    assert len(mac) == hmac.new(b"", b"", f"sha{bits}").digest_size
    assert kms.verify_mac(KeyId=key["KeyId"], Message=b"message", MacAlgorithm=algorithm, Mac=mac)["MacValid"]
    with refused("KMSInvalidMacException"):
        kms.verify_mac(KeyId=key["KeyId"], Message=b"massage", MacAlgorithm=algorithm, Mac=mac)


def test_policies_grants_and_other_accounts_decide(server, account, kms):
    user = account.new_user("grantee")
    other = server.new_account("kms-other")
    key = new_key(kms)
    theirs = user.client("kms")
    with refused("AccessDeniedException", "is not authorized to perform: kms:Encrypt on resource", key["Arn"]):
        theirs.encrypt(KeyId=key["KeyId"], Plaintext=b"x")
    arn = user.client("sts").get_caller_identity()["Arn"]
    grant = kms.create_grant(
        KeyId=key["KeyId"], GranteePrincipal=arn, Operations=["Encrypt", "RetireGrant"],
        Constraints={"EncryptionContextSubset": {"team": "red"}},
    )
    theirs.encrypt(KeyId=key["KeyId"], Plaintext=b"x", EncryptionContext={"team": "red"}, GrantTokens=[grant["GrantToken"]])
    with refused("AccessDeniedException"):
        theirs.encrypt(KeyId=key["KeyId"], Plaintext=b"x", EncryptionContext={"team": "blue"})
    assert [entry["GrantId"] for entry in kms.list_grants(KeyId=key["KeyId"])["Grants"]] == [grant["GrantId"]]
    theirs.retire_grant(GrantToken=grant["GrantToken"])
    assert kms.list_grants(KeyId=key["KeyId"])["Grants"] == []

    blob = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"shared")["CiphertextBlob"]
    guest = other.new_user("guest", allow("kms:Decrypt")).client("kms")
    with refused("AccessDeniedException", "The ciphertext refers to a customer master key that does not exist"):
        guest.decrypt(CiphertextBlob=blob)
    policy = json.loads(kms.get_key_policy(KeyId=key["KeyId"])["Policy"])
    policy["Statement"].append({
        "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{other.id}:root"}, "Action": "kms:Decrypt", "Resource": "*",
    })
    kms.put_key_policy(KeyId=key["KeyId"], Policy=json.dumps(policy))
    assert guest.decrypt(CiphertextBlob=blob)["Plaintext"] == b"shared"
    with refused("MalformedPolicyDocumentException", "will not allow you to update the key policy in the future"):
        kms.put_key_policy(KeyId=key["KeyId"], Policy=json.dumps({**policy, "Statement": policy["Statement"][1:]}))


def test_the_journal_holds_no_secret_and_every_call(server, account, kms):
    key = new_key(kms)
    plaintext = os.urandom(24)
    blob = kms.encrypt(KeyId=key["KeyId"], Plaintext=plaintext, EncryptionContext={"a": "1"})["CiphertextBlob"]
    kms.decrypt(CiphertextBlob=blob, EncryptionContext={"a": "1"})
    data = kms.generate_data_key(KeyId=key["KeyId"], KeySpec="AES_256")
    random = kms.generate_random(NumberOfBytes=32)["Plaintext"]
    mac_key = new_key(kms, KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
    mac = kms.generate_mac(KeyId=mac_key["KeyId"], Message=plaintext, MacAlgorithm="HMAC_SHA_256")["Mac"]
    wrapped = kms.generate_data_key_pair(KeyId=key["KeyId"], KeyPairSpec="ECC_NIST_P256")
    user = account.client("sts").get_caller_identity()["Arn"]
    token = kms.create_grant(KeyId=key["KeyId"], GranteePrincipal=user, Operations=["Encrypt"])["GrantToken"]

    records = [record for record in server.records("--source", "kms.amazonaws.com") if record["recipientAccountId"] == account.id]
    names = {record["eventName"] for record in records}
    assert {"CreateKey", "Encrypt", "Decrypt", "GenerateDataKey", "GenerateRandom", "GenerateMac", "CreateGrant"} <= names
    encrypt = next(record for record in records if record["eventName"] == "Encrypt")
    assert encrypt["readOnly"] is True and encrypt["requestParameters"]["encryptionContext"] == {"a": "1"}
    journal = b"".join(path.read_bytes() for path in (server.data_dir / "audit").rglob("*") if path.is_file())
    secrets = [plaintext, blob, data["Plaintext"], data["CiphertextBlob"], random, mac]
    secrets += [wrapped["PrivateKeyPlaintext"], wrapped["PrivateKeyCiphertextBlob"]]
    for secret in secrets:
        for form in (secret, base64.b64encode(secret), secret.hex().encode()):
            assert form not in journal
    assert token.encode() not in journal


def make_things(server):
    """A key with a ciphertext, a signing key, and a user: all that is sealed in the store."""
    account = server.new_account("sealed")
    kms = account.client("kms")
    user = account.new_user("worker", allow("kms:*"))
    key = new_key(kms)
    signing = new_key(kms, KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    kms.create_alias(AliasName="alias/kept", TargetKeyId=key["KeyId"])
    blob = kms.encrypt(KeyId="alias/kept", Plaintext=b"kept", EncryptionContext={"a": "1"})["CiphertextBlob"]
    kms.rotate_key_on_demand(KeyId=key["KeyId"])
    newer = kms.encrypt(KeyId="alias/kept", Plaintext=b"newer")["CiphertextBlob"]
    public = public_key(kms, signing)

    def check():
        # With the user's own long-term key, whose secret is sealed too.
        client = user.client("kms")
        assert client.decrypt(CiphertextBlob=blob, EncryptionContext={"a": "1"})["Plaintext"] == b"kept"
        assert client.decrypt(CiphertextBlob=newer)["Plaintext"] == b"newer"
        signature = client.sign(KeyId=signing["KeyId"], Message=b"m", SigningAlgorithm="ECDSA_SHA_256")["Signature"]
        public.verify(signature, b"m", ec.ECDSA(hashes.SHA256()))
        assert account.client("kms").describe_key(KeyId="alias/kept")["KeyMetadata"]["KeyId"] == key["KeyId"]

    return check


def test_keys_outlive_a_restart_and_a_kill(own_server):
    own_server.start()
    check = make_things(own_server)
    own_server.kill()
    own_server.start()
    check()
    own_server.stop()
    own_server.start()
    check()


STEPS = ["made", "noted", "batch", "sealed", "finished"]


def rotate(server, check=True, **environment):
    command = [server.binary, "keys", "rotate-master", "--data-dir", str(server.data_dir)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env={**clean_environment(), **environment}, check=check)


def test_the_master_key_is_replaced_even_when_the_command_dies_anywhere(own_server):
    own_server.start()
    check = make_things(own_server)
    busy = rotate(own_server, check=False)
    assert busy.returncode != 0 and "in use" in busy.stderr, busy
    own_server.kill()
    first = (own_server.data_dir / "master.key").read_text()
    for step in STEPS:
        died = rotate(own_server, check=False, STOA_FAILPOINTS=f"keys.rotate.{step}=abort")
        assert died.returncode < 0, (step, died)
        own_server.start()
        check()
        own_server.kill()
    done = rotate(own_server)
    assert "back it up" in done.stdout
    second = (own_server.data_dir / "master.key").read_text()
    assert first != second and not (own_server.data_dir / "master.key.next").exists()
    own_server.start()
    check()
    trail = own_server.records("--event", "RotateMasterKey")
    assert [record["stoaPhase"] for record in trail][-2:] == ["unknown", "complete"], trail
    own_server.stop()
    # The old key opens nothing any more, and the server says so instead of starting.
    (own_server.data_dir / "master.key").write_text(first)
    with pytest.raises(AssertionError, match="sealed under the master key"):
        own_server.start()
    (own_server.data_dir / "master.key").write_text(second)
    own_server.start()
    check()


def test_an_operators_own_key_is_replaced_by_another_of_its_own(own_server, tmp_path):
    old, new = os.urandom(32), os.urandom(32)
    one = {"STOA_MASTER_KEY": base64.b64encode(old).decode()}
    file = tmp_path / "new.key"
    file.write_text(new.hex())
    own_server.start(one)
    check = make_things(own_server)
    own_server.stop()
    assert not (own_server.data_dir / "master.key").exists()
    refusal = rotate(own_server, check=False, **one)
    assert refusal.returncode != 0 and "STOA_MASTER_KEY_NEXT" in refusal.stderr, refusal
    both = {**one, "STOA_MASTER_KEY_NEXT_FILE": str(file)}
    died = rotate(own_server, check=False, STOA_FAILPOINTS="keys.rotate.batch=abort", **both)
    assert died.returncode < 0, died
    with pytest.raises(AssertionError, match="rotate-master"):
        own_server.start(one)
    own_server.start(both)
    check()
    own_server.stop()
    rotate(own_server, **both)
    own_server.start({"STOA_MASTER_KEY_FILE": str(file)})
    check()
    own_server.stop()
    with pytest.raises(AssertionError, match="sealed under the master key"):
        own_server.start(one)


def test_what_is_not_here_is_refused_by_name(account, kms):
    for request, words in (
        ({"MultiRegion": True}, "MultiRegion"),
        ({"Origin": "EXTERNAL"}, "Origin EXTERNAL"),
        ({"KeySpec": "ML_DSA_65", "KeyUsage": "SIGN_VERIFY"}, "ML_DSA_65"),
    ):
        with refused("UnsupportedOperationException", words, "is not supported by Stoa"):
            kms.create_key(**request)
    with refused("UnknownOperationException", "is not implemented by Stoa"):
        kms.describe_custom_key_stores()
    with pytest.raises(ClientError, match="Invalid arn eu-central-1"):
        kms.describe_key(KeyId=f"arn:aws:kms:eu-central-1:{account.id}:key/00000000-0000-0000-0000-000000000000")
    assert REGION in kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]["Arn"]
