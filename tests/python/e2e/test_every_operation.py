"""Every implemented operation, one line each: without permission it is refused and tells nothing of what is there; with
exactly the permissions that its refusals name it succeeds.

The list of operations is not written here: `docs/compatibility.md` and `facts/s3/overlay.toml` have it, and an operation
without a line fails. A line is: what must be there first (made by the account's root user), and the call's arguments.
`$n` in them is a name of its own for each operation, `$account` the account, `$caller` the user who calls.
"""

import base64
import hashlib
import hmac
import json
import re
import struct
import time
import tomllib

import botocore.session
import pytest
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError

from identity_provider import SamlProvider
from support import IRIS, NO_PROXIES, REGION, ROOT, Account, deploy_public, endpoint_status, public_model, trust

PUBLIC = f"arn:aws:sagemaker:{REGION}:aws"
POLICY = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}]})
TAGS = [{"Key": "team", "Value": "one"}]
BOUNDARY = "arn:aws:iam::aws:policy/AmazonSageMakerModelRegistryFullAccess"
PASSWORD = "Corr3ct-horse!battery"
DENIED = re.compile(r"not authorized to perform: (\S+) on resource: (\S+)")


# ---- what must be there: each takes the world and a name, and may give further arguments --------------------------------


class World:
    """The account's root user with its clients, a user who may nothing, and what many lines share."""

    def __init__(self, account):
        self.account = account
        for service in ("iam", "kms", "organizations", "ram", "s3", "sagemaker", "sts"):
            setattr(self, service, account.client(service))
        self.nobody = account.new_user("nobody")
        self.role = account.new_role()
        self._endpoint = None
        self.buckets = set()

    def endpoint(self):
        """One deployed model for all lines that need one."""
        if self._endpoint is None:
            deploy_public(self.account, self.role, "shared")
            assert endpoint_status(self.sagemaker, "shared")["EndpointStatus"] == "InService"
            self._endpoint = "shared"
        return self._endpoint

    def arn(self, kind, n):
        return f"arn:aws:iam::{self.account.id}:{kind}/{n}"


def user(w, n):
    w.iam.create_user(UserName=n, Tags=TAGS)


def group(w, n):
    w.iam.create_group(GroupName=n)


def role(w, n):
    w.iam.create_role(RoleName=n, AssumeRolePolicyDocument=json.dumps(trust(w.account.id)), Tags=TAGS)


def policy(w, n):
    w.iam.create_policy(PolicyName=n, PolicyDocument=POLICY, Tags=TAGS)


def two_versions(w, n):
    policy(w, n)
    w.iam.create_policy_version(PolicyArn=w.arn("policy", n), PolicyDocument=POLICY)


def profile(w, n):
    w.iam.create_instance_profile(InstanceProfileName=n, Tags=TAGS)


def key(w, n):
    made = w.iam.create_access_key(UserName=n)["AccessKey"]
    return {"AccessKeyId": made["AccessKeyId"]}


def login(w, n):
    w.iam.create_login_profile(UserName=n, Password=PASSWORD)


def own_login(w, n):
    w.iam.create_login_profile(UserName=f"{n}-caller", Password=PASSWORD)


def in_group(w, n):
    user(w, n), group(w, n)
    w.iam.add_user_to_group(UserName=n, GroupName=n)


def in_profile(w, n):
    role(w, n), profile(w, n)
    w.iam.add_role_to_instance_profile(InstanceProfileName=n, RoleName=n)


def inline(kind):
    def put(w, n):
        {"user": user, "group": group, "role": role}[kind](w, n)
        getattr(w.iam, f"put_{kind}_policy")(**{f"{kind.title()}Name": n}, PolicyName="p", PolicyDocument=POLICY)

    return put


def attached(kind):
    def attach(w, n):
        {"user": user, "group": group, "role": role}[kind](w, n)
        policy(w, n)
        getattr(w.iam, f"attach_{kind}_policy")(**{f"{kind.title()}Name": n}, PolicyArn=w.arn("policy", n))

    return attach


def bounded(kind):
    def bound(w, n):
        {"user": user, "role": role}[kind](w, n)
        name = {f"{kind.title()}Name": n}
        getattr(w.iam, f"put_{kind}_permissions_boundary")(**name, PermissionsBoundary=BOUNDARY)

    return bound


def alias(w, n):
    w.iam.create_account_alias(AccountAlias=n)


def password_policy(w, n):
    w.iam.update_account_password_policy(MinimumPasswordLength=8)


def totp(seed, step):
    """The code of RFC 6238 at so many half minutes from now."""
    key = base64.b32decode(seed)
    digest = hmac.new(key, struct.pack(">Q", int(time.time()) // 30 + step), hashlib.sha1).digest()
    at = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[at:at + 4])[0] & 0x7fffffff) % 1_000_000:06}"


def device(w, n):
    made = w.iam.create_virtual_mfa_device(VirtualMFADeviceName=n, Tags=TAGS)["VirtualMFADevice"]
    w.seed = made["Base32StringSeed"]


def codes(w, n):
    user(w, n), device(w, n)
    return {"AuthenticationCode1": totp(w.seed, -1), "AuthenticationCode2": totp(w.seed, 0)}


def enabled(w, n):
    found = codes(w, n)
    w.iam.enable_mfa_device(UserName=n, SerialNumber=w.arn("mfa", n), **found)


def resync(w, n):
    enabled(w, n)
    return {"AuthenticationCode1": totp(w.seed, 0), "AuthenticationCode2": totp(w.seed, 1)}


def credential_report(w, n):
    w.iam.generate_credential_report()


def last_accessed(w, n):
    user(w, n)
    return {"JobId": w.iam.generate_service_last_accessed_details(Arn=w.arn("user", n))["JobId"]}


def s3_accessed(w, n):
    inline("user")(w, n)
    return {"JobId": w.iam.generate_service_last_accessed_details(Arn=w.arn("user", n))["JobId"]}


def linked(service):
    return lambda w, n: {"RoleName": w.iam.create_service_linked_role(AWSServiceName=service)["Role"]["RoleName"]}


def unlinked(service):
    def delete(w, n):
        made = linked(service)(w, n)
        return {"DeletionTaskId": w.iam.delete_service_linked_role(**made)["DeletionTaskId"]}

    return delete


def refusal(w, n):
    """An encoded refusal of somebody of this account."""
    with pytest.raises(ClientError) as caught:
        w.nobody.client("sagemaker").list_hubs()
    headers = caught.value.response["ResponseMetadata"]["HTTPHeaders"]
    return {"EncodedMessage": headers["x-stoa-authorization-message"]}


def bucket(w, n):
    if n in w.buckets:
        return
    w.buckets.add(n)
    w.s3.create_bucket(Bucket=n, CreateBucketConfiguration={"LocationConstraint": REGION})


def object_(w, n):
    bucket(w, n)
    w.s3.put_object(Bucket=n, Key="k", Body=b"x", Tagging="team=one")


def upload(w, n):
    bucket(w, n)
    return {"UploadId": w.s3.create_multipart_upload(Bucket=n, Key="k")["UploadId"]}


def uploaded(w, n):
    made = upload(w, n)
    part = w.s3.upload_part(Bucket=n, Key="k", PartNumber=1, Body=b"x", **made)
    return {**made, "MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}}


def copied_part(w, n):
    object_(w, n)
    return {"UploadId": w.s3.create_multipart_upload(Bucket=n, Key="copy")["UploadId"]}


def bucket_policy(w, n):
    bucket(w, n)
    w.s3.put_bucket_policy(Bucket=n, Policy=own_policy(n, w.account.id))


def key_policy(account):
    entry = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "kms:*", "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [entry]})


def own_policy(n, account):
    entry = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{n}/*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [entry]})


def access_block(w, n):
    bucket(w, n)
    w.s3.put_public_access_block(Bucket=n, PublicAccessBlockConfiguration={"BlockPublicAcls": True})


SSE = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}


def bucket_encryption(w, n):
    bucket(w, n)
    w.s3.put_bucket_encryption(Bucket=n, ServerSideEncryptionConfiguration=SSE)


def bucket_tags(w, n):
    bucket(w, n)
    w.s3.put_bucket_tagging(Bucket=n, Tagging={"TagSet": TAGS})


def lifecycle(w, n):
    bucket(w, n)
    w.s3.put_bucket_lifecycle_configuration(Bucket=n, LifecycleConfiguration=LIFECYCLE)


def cors(w, n):
    bucket(w, n)
    w.s3.put_bucket_cors(Bucket=n, CORSConfiguration=CORS)


def saml(w, n):
    w.iam.create_saml_provider(Name=n, SAMLMetadataDocument=METADATA, Tags=TAGS)


def oidc(w, n):
    w.iam.create_open_id_connect_provider(Url=f"https://{n}.example.com", ClientIDList=["stoa", "other"], ThumbprintList=["ab" * 20], Tags=TAGS)


def key_of(**more):
    def make(w, n):
        return {"KeyId": w.kms.create_key(Tags=[{"TagKey": "team", "TagValue": "one"}], **more)["KeyMetadata"]["KeyId"]}

    return make


symmetric = key_of()
signing = key_of(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
mac = key_of(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
agreement = key_of(KeySpec="ECC_NIST_P256", KeyUsage="KEY_AGREEMENT")


def to_alias(w, n):
    return {"TargetKeyId": symmetric(w, n)["KeyId"]}


def key_alias(w, n):
    w.kms.create_alias(AliasName=f"alias/{n}", TargetKeyId=symmetric(w, n)["KeyId"])


def moved_alias(w, n):
    key_alias(w, n)
    return to_alias(w, n)


def pending(w, n):
    made = symmetric(w, n)
    w.kms.schedule_key_deletion(**made, PendingWindowInDays=7)
    return made


def disabled(w, n):
    made = symmetric(w, n)
    w.kms.disable_key(**made)
    return made


def rotating(w, n):
    made = symmetric(w, n)
    w.kms.enable_key_rotation(**made)
    return made


def ciphertext(w, n):
    made = symmetric(w, n)
    return {**made, "CiphertextBlob": w.kms.encrypt(**made, Plaintext=b"x")["CiphertextBlob"]}


def reencrypted(w, n):
    found = ciphertext(w, n)
    return {"SourceKeyId": found["KeyId"], "CiphertextBlob": found["CiphertextBlob"], "DestinationKeyId": symmetric(w, n)["KeyId"]}


def grant(w, n):
    made = symmetric(w, n)
    granted = w.kms.create_grant(**made, GranteePrincipal=w.role, Operations=["Encrypt"])
    return {**made, "GrantId": granted["GrantId"]}


def signed(w, n):
    made = signing(w, n)
    return {**made, "Signature": w.kms.sign(**made, Message=b"x", SigningAlgorithm="ECDSA_SHA_256")["Signature"]}


def macced(w, n):
    made = mac(w, n)
    return {**made, "Mac": w.kms.generate_mac(**made, Message=b"x", MacAlgorithm="HMAC_SHA_256")["Mac"]}


def agreed(w, n):
    other = w.kms.get_public_key(**agreement(w, n))["PublicKey"]
    return {**agreement(w, n), "PublicKey": other}


# The organization's own lines run in the management account.


def root(w):
    if ROOT_TYPES - {one["Type"] for one in w.organizations.list_roots()["Roots"][0]["PolicyTypes"] if one["Status"] == "ENABLED"}:
        for kind in ROOT_TYPES:
            try:
                w.organizations.enable_policy_type(RootId=w.organizations.list_roots()["Roots"][0]["Id"], PolicyType=kind)
            except w.organizations.exceptions.PolicyTypeAlreadyEnabledException:
                pass
    return w.organizations.list_roots()["Roots"][0]["Id"]


ROOT_TYPES = {"SERVICE_CONTROL_POLICY"}
LIFECYCLE = {"Rules": [{"Status": "Enabled", "Filter": {"Prefix": "a/"}, "Expiration": {"Days": 1}}]}
CORS = {"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["https://a.example"]}]}
OWNERSHIP = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
SCP = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "s3:DeleteBucket", "Resource": "*"}]})


def root_of(member):
    return lambda w, n: {member: root(w)}


def unit(member="OrganizationalUnitId"):
    def make(w, n):
        made = w.organizations.create_organizational_unit(ParentId=root(w), Name=n, Tags=TAGS)["OrganizationalUnit"]
        return {member: made["Id"]}

    return make


def scp(member="PolicyId"):
    def make(w, n):
        root(w)
        made = w.organizations.create_policy(Name=n, Description="", Type="SERVICE_CONTROL_POLICY", Content=SCP)
        return {member: made["Policy"]["PolicySummary"]["Id"]}

    return make


def attached_scp(w, n):
    found = {**scp()(w, n), **unit("TargetId")(w, n)}
    w.organizations.attach_policy(**found)
    return found


def member(name="AccountId"):
    def make(w, n):
        made = w.organizations.create_account(Email=f"{n}@example.com", AccountName=n)["CreateAccountStatus"]
        return {name: made["AccountId"]}

    return make


def request_of_account(w, n):
    made = w.organizations.create_account(Email=f"{n}@example.com", AccountName=n)["CreateAccountStatus"]
    return {"CreateAccountRequestId": made["Id"]}


def moving(w, n):
    return {**member()(w, n), "SourceParentId": root(w), **unit("DestinationParentId")(w, n)}


def trusted(w, n):
    w.organizations.enable_aws_service_access(ServicePrincipal="ram.amazonaws.com")


def trusted_member(w, n):
    trusted(w, n)
    return member()(w, n)


def delegated(w, n):
    found = trusted_member(w, n)
    w.organizations.register_delegated_administrator(**found, ServicePrincipal="ram.amazonaws.com")
    return found


def delegation(w, n):
    w.organizations.put_resource_policy(Content=delegation_of(w.account.id))


def delegation_of(account):
    entry = {"Sid": "S", "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "organizations:ListAccounts", "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [entry]})


def hub(w, n):
    w.sagemaker.create_hub(HubName=n, HubDescription="d", Tags=TAGS)


def reference(w, n):
    hub(w, n)
    w.sagemaker.create_hub_content_reference(HubName=n, SageMakerPublicHubContentArn=f"{PUBLIC}:hub-content/SageMakerPublicHub/Model/{IRIS}")


# RAM: shares with a hub, permissions, and invitations that another account sends. An id of nothing is as long as one of
# something.

NO_SHARE = f"arn:aws:ram:{REGION}:$account:resource-share/{'0' * 36}"
NO_PERMISSION = f"arn:aws:ram:{REGION}:$account:permission/$n"
NO_INVITATION = f"arn:aws:ram:{REGION}:$account:resource-share-invitation/{'0' * 36}"
HUB_PERMISSION = "arn:aws:ram::aws:permission/AWSRAMPermissionSageMakerHub"
TEMPLATE = json.dumps({"Effect": "Allow", "Action": "sagemaker:DescribeHub"})
RAM_TAGS = [{"key": "team", "value": "one"}]


def shared(w, n):
    hub(w, n)
    arn = w.account.arn(f"hub/{n}")
    made = w.ram.create_resource_share(name=n, resourceArns=[arn], tags=RAM_TAGS)["resourceShare"]
    return {"resourceShareArn": made["resourceShareArn"]}


def shared_hub(w, n):
    shared(w, n)


def empty_share(w, n):
    made = w.ram.create_resource_share(name=n, permissionArns=[f"{HUB_PERMISSION}Read"])["resourceShare"]
    return {"resourceShareArn": made["resourceShareArn"]}


def ram_permission(w, n):
    w.ram.create_permission(name=n, resourceType="sagemaker:Hub", policyTemplate=TEMPLATE, tags=RAM_TAGS)


def ram_versions(w, n):
    ram_permission(w, n)
    arn = w.account.arn(f"permission/{n}", "ram")
    w.ram.create_permission_version(permissionArn=arn, policyTemplate=TEMPLATE)


def invited(w, n):
    # From outside the organization, where it is an invitation whatever the organization shares.
    made = json.loads(w.account.server.command("account", "create", "--name", n, "--standalone").stdout)
    sender = Account(w.account.server, made["account_id"], made["access_key_id"], made["secret_access_key"])
    arn = sender.client("sagemaker").create_hub(HubName=n, HubDescription="d")["HubArn"]
    sender.client("ram").create_resource_share(name=n, resourceArns=[arn], principals=[w.account.id])
    found = [one for one in w.ram.get_resource_share_invitations()["resourceShareInvitations"] if one["resourceShareName"] == n]
    return {"resourceShareInvitationArn": found[0]["resourceShareInvitationArn"]}


def own_document(w, n):
    hub(w, n)
    return {"HubContentDocument": public_model(w.sagemaker, IRIS)["HubContentDocument"]}


def content(w, n):
    w.sagemaker.import_hub_content(
        HubName=n, HubContentName="own", HubContentType="Model", HubContentVersion="1.0.0", DocumentSchemaVersion="2.3.0",
        **own_document(w, n),
    )


def model(w, n):
    document = public_model(w.sagemaker, IRIS)["document"]
    w.sagemaker.create_model(ModelName=n, ExecutionRoleArn=w.role, PrimaryContainer=container(document))


def container(document):
    source = {"S3Uri": document["HostingArtifactUri"], "S3DataType": "S3Prefix", "CompressionType": "None"}
    return {"Image": document["HostingEcrUri"], "ModelDataSource": {"S3DataSource": source}}


def new_model(w, n):
    return {"PrimaryContainer": container(public_model(w.sagemaker, IRIS)["document"]), "ExecutionRoleArn": w.role}


def variants(n):
    return [{"VariantName": "a", "ModelName": n, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}]


def endpoint_config(w, n):
    model(w, n)
    w.sagemaker.create_endpoint_config(EndpointConfigName=n, ProductionVariants=variants(n))


def endpoint(w, n):
    endpoint_config(w, n)
    w.sagemaker.create_endpoint(EndpointName=n, EndpointConfigName=n)
    endpoint_status(w.sagemaker, n)


def deployed(w, n):
    return {"EndpointName": w.endpoint()}


# ---- the table ------------------------------------------------------------------------------------------------------------

MFA = "arn:aws:iam::$account:mfa/$n"
ARN = "arn:aws:iam::$account:"
CONTENT = {"HubName": "$n", "HubContentType": "ModelReference", "HubContentName": IRIS}
OWN = {"HubName": "$n", "HubContentType": "Model", "HubContentName": "own"}
HUB_ARN = f"arn:aws:sagemaker:{REGION}:$account:hub/$n"
BLOCK = {"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": True, "RestrictPublicBuckets": True}
REFERENCE = f"{PUBLIC}:hub-content/SageMakerPublicHub/Model/{IRIS}"
IRIS_BODY = json.dumps({"instances": [{"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}]}).encode()


def case(*setups, **arguments):
    return list(setups), arguments


SAML_ARN = ARN + "saml-provider/$n"
OIDC_ARN = ARN + "oidc-provider/$n.example.com"
METADATA = SamlProvider().metadata()
# A key, a grant, a policy, a unit … that is nowhere, for the call before they are made.
NO_KEY = "00000000-0000-4000-8000-000000000000"
NO_POLICY, NO_UNIT, NO_ACCOUNT = "p-00000000", "ou-0000-00000000", "000000000001"
KMS_TAGS = [{"TagKey": "team", "TagValue": "one"}]

CASES = {
    "iam:AddRoleToInstanceProfile": case(role, profile, InstanceProfileName="$n", RoleName="$n"),
    "iam:AddUserToGroup": case(user, group, UserName="$n", GroupName="$n"),
    "iam:AttachGroupPolicy": case(group, policy, GroupName="$n", PolicyArn=ARN + "policy/$n"),
    "iam:AttachRolePolicy": case(role, policy, RoleName="$n", PolicyArn=ARN + "policy/$n"),
    "iam:AttachUserPolicy": case(user, policy, UserName="$n", PolicyArn=ARN + "policy/$n"),
    "iam:ChangePassword": case(own_login, OldPassword=PASSWORD, NewPassword=PASSWORD + "2"),
    "iam:CreateAccessKey": case(user, UserName="$n"),
    "iam:CreateAccountAlias": case(AccountAlias="$n"),
    "iam:CreateGroup": case(GroupName="$n", Path="/a/"),
    "iam:CreateInstanceProfile": case(InstanceProfileName="$n", Tags=TAGS),
    "iam:CreateLoginProfile": case(user, UserName="$n", Password=PASSWORD),
    "iam:CreatePolicy": case(PolicyName="$n", PolicyDocument=POLICY, Tags=TAGS),
    "iam:CreatePolicyVersion": case(policy, PolicyArn=ARN + "policy/$n", PolicyDocument=POLICY, SetAsDefault=True),
    "iam:CreateRole": case(RoleName="$n", AssumeRolePolicyDocument=json.dumps(trust("111122223333")), Tags=TAGS),
    "iam:CreateServiceLinkedRole": case(AWSServiceName="sagemaker.amazonaws.com"),
    "iam:CreateUser": case(UserName="$n", Path="/a/", Tags=TAGS, PermissionsBoundary=BOUNDARY),
    "iam:CreateVirtualMFADevice": case(VirtualMFADeviceName="$n", Tags=TAGS),
    "iam:DeactivateMFADevice": case(enabled, UserName="$n", SerialNumber=MFA),
    "iam:DeleteAccessKey": case(user, key, UserName="$n", AccessKeyId="AKIAABCDEFGHIJKLMNOP"),
    "iam:DeleteAccountAlias": case(alias, AccountAlias="$n"),
    "iam:DeleteAccountPasswordPolicy": case(password_policy),
    "iam:DeleteGroup": case(group, GroupName="$n"),
    "iam:DeleteGroupPolicy": case(inline("group"), GroupName="$n", PolicyName="p"),
    "iam:DeleteInstanceProfile": case(profile, InstanceProfileName="$n"),
    "iam:DeleteLoginProfile": case(user, login, UserName="$n"),
    "iam:DeletePolicy": case(policy, PolicyArn=ARN + "policy/$n"),
    "iam:DeletePolicyVersion": case(two_versions, PolicyArn=ARN + "policy/$n", VersionId="v2"),
    "iam:DeleteRole": case(role, RoleName="$n"),
    "iam:DeleteRolePermissionsBoundary": case(bounded("role"), RoleName="$n"),
    "iam:DeleteRolePolicy": case(inline("role"), RoleName="$n", PolicyName="p"),
    "iam:DeleteServiceLinkedRole": case(linked("hyperpod.sagemaker.amazonaws.com"), RoleName="AWSServiceRoleForNothing"),
    "iam:DeleteUser": case(user, UserName="$n"),
    "iam:DeleteUserPermissionsBoundary": case(bounded("user"), UserName="$n"),
    "iam:DeleteUserPolicy": case(inline("user"), UserName="$n", PolicyName="p"),
    "iam:DeleteVirtualMFADevice": case(device, SerialNumber=MFA),
    "iam:DetachGroupPolicy": case(attached("group"), GroupName="$n", PolicyArn=ARN + "policy/$n"),
    "iam:DetachRolePolicy": case(attached("role"), RoleName="$n", PolicyArn=ARN + "policy/$n"),
    "iam:DetachUserPolicy": case(attached("user"), UserName="$n", PolicyArn=ARN + "policy/$n"),
    "iam:EnableMFADevice": case(codes, UserName="$n", SerialNumber=MFA, AuthenticationCode1="000000", AuthenticationCode2="000001"),
    "iam:GenerateCredentialReport": case(),
    "iam:GenerateServiceLastAccessedDetails": case(user, Arn=ARN + "user/$n"),
    "iam:GetAccessKeyLastUsed": case(user, key, AccessKeyId="AKIAABCDEFGHIJKLMNOP"),
    "iam:GetAccountAuthorizationDetails": case(),
    "iam:GetAccountPasswordPolicy": case(password_policy),
    "iam:GetAccountSummary": case(),
    "iam:GetContextKeysForCustomPolicy": case(PolicyInputList=[POLICY]),
    "iam:GetContextKeysForPrincipalPolicy": case(user, PolicySourceArn=ARN + "user/$n"),
    "iam:GetCredentialReport": case(credential_report),
    "iam:GetGroup": case(group, GroupName="$n"),
    "iam:GetGroupPolicy": case(inline("group"), GroupName="$n", PolicyName="p"),
    "iam:GetInstanceProfile": case(profile, InstanceProfileName="$n"),
    "iam:GetLoginProfile": case(user, login, UserName="$n"),
    "iam:GetMFADevice": case(enabled, UserName="$n", SerialNumber=MFA),
    "iam:GetPolicy": case(policy, PolicyArn=ARN + "policy/$n"),
    "iam:GetPolicyVersion": case(policy, PolicyArn=ARN + "policy/$n", VersionId="v1"),
    "iam:GetRole": case(role, RoleName="$n"),
    "iam:GetRolePolicy": case(inline("role"), RoleName="$n", PolicyName="p"),
    "iam:GetServiceLastAccessedDetails": case(last_accessed, JobId="$n-$n-$n-$n-$n-$n-$n-$n-$n"),
    "iam:GetServiceLastAccessedDetailsWithEntities": case(s3_accessed, JobId="$n-$n-$n-$n-$n-$n-$n-$n-$n", ServiceNamespace="s3"),
    "iam:GetServiceLinkedRoleDeletionStatus": case(unlinked("hyperpod.sagemaker.amazonaws.com"), DeletionTaskId="task/none"),
    "iam:GetUser": case(user, UserName="$n"),
    "iam:GetUserPolicy": case(inline("user"), UserName="$n", PolicyName="p"),
    "iam:ListAccessKeys": case(user, UserName="$n"),
    "iam:ListAccountAliases": case(),
    "iam:ListAttachedGroupPolicies": case(attached("group"), GroupName="$n"),
    "iam:ListAttachedRolePolicies": case(attached("role"), RoleName="$n"),
    "iam:ListAttachedUserPolicies": case(attached("user"), UserName="$n"),
    "iam:ListEntitiesForPolicy": case(policy, PolicyArn=ARN + "policy/$n"),
    "iam:ListGroupPolicies": case(inline("group"), GroupName="$n"),
    "iam:ListGroups": case(),
    "iam:ListGroupsForUser": case(in_group, UserName="$n"),
    "iam:ListInstanceProfileTags": case(profile, InstanceProfileName="$n"),
    "iam:ListInstanceProfiles": case(),
    "iam:ListInstanceProfilesForRole": case(in_profile, RoleName="$n"),
    "iam:ListMFADeviceTags": case(device, SerialNumber=MFA),
    "iam:ListMFADevices": case(enabled, UserName="$n"),
    "iam:ListPolicies": case(),
    "iam:ListPoliciesGrantingServiceAccess": case(user, Arn=ARN + "user/$n", ServiceNamespaces=["s3"]),
    "iam:ListPolicyTags": case(policy, PolicyArn=ARN + "policy/$n"),
    "iam:ListPolicyVersions": case(policy, PolicyArn=ARN + "policy/$n"),
    "iam:ListRolePolicies": case(inline("role"), RoleName="$n"),
    "iam:ListRoleTags": case(role, RoleName="$n"),
    "iam:ListRoles": case(),
    "iam:ListUserPolicies": case(inline("user"), UserName="$n"),
    "iam:ListUserTags": case(user, UserName="$n"),
    "iam:ListUsers": case(),
    "iam:ListVirtualMFADevices": case(),
    "iam:PutGroupPolicy": case(group, GroupName="$n", PolicyName="p", PolicyDocument=POLICY),
    "iam:PutRolePermissionsBoundary": case(role, RoleName="$n", PermissionsBoundary=BOUNDARY),
    "iam:PutRolePolicy": case(role, RoleName="$n", PolicyName="p", PolicyDocument=POLICY),
    "iam:PutUserPermissionsBoundary": case(user, UserName="$n", PermissionsBoundary=BOUNDARY),
    "iam:PutUserPolicy": case(user, UserName="$n", PolicyName="p", PolicyDocument=POLICY),
    "iam:RemoveRoleFromInstanceProfile": case(in_profile, InstanceProfileName="$n", RoleName="$n"),
    "iam:RemoveUserFromGroup": case(in_group, UserName="$n", GroupName="$n"),
    "iam:ResyncMFADevice": case(resync, UserName="$n", SerialNumber=MFA, AuthenticationCode1="000000", AuthenticationCode2="000001"),
    "iam:SetDefaultPolicyVersion": case(two_versions, PolicyArn=ARN + "policy/$n", VersionId="v2"),
    "iam:SimulateCustomPolicy": case(PolicyInputList=[POLICY], ActionNames=["s3:GetObject"]),
    "iam:SimulatePrincipalPolicy": case(user, PolicySourceArn=ARN + "user/$n", ActionNames=["s3:GetObject"]),
    "iam:TagInstanceProfile": case(profile, InstanceProfileName="$n", Tags=TAGS),
    "iam:TagMFADevice": case(device, SerialNumber=MFA, Tags=TAGS),
    "iam:TagPolicy": case(policy, PolicyArn=ARN + "policy/$n", Tags=TAGS),
    "iam:TagRole": case(role, RoleName="$n", Tags=TAGS),
    "iam:TagUser": case(user, UserName="$n", Tags=TAGS),
    "iam:UntagInstanceProfile": case(profile, InstanceProfileName="$n", TagKeys=["team"]),
    "iam:UntagMFADevice": case(device, SerialNumber=MFA, TagKeys=["team"]),
    "iam:UntagPolicy": case(policy, PolicyArn=ARN + "policy/$n", TagKeys=["team"]),
    "iam:UntagRole": case(role, RoleName="$n", TagKeys=["team"]),
    "iam:UntagUser": case(user, UserName="$n", TagKeys=["team"]),
    "iam:UpdateAccessKey": case(user, key, UserName="$n", AccessKeyId="AKIAABCDEFGHIJKLMNOP", Status="Inactive"),
    "iam:UpdateAccountPasswordPolicy": case(MinimumPasswordLength=8),
    "iam:UpdateAssumeRolePolicy": case(role, RoleName="$n", PolicyDocument=json.dumps(trust("111122223333"))),
    "iam:UpdateGroup": case(group, GroupName="$n", NewGroupName="$n-new", NewPath="/b/"),
    "iam:UpdateLoginProfile": case(user, login, UserName="$n", Password=PASSWORD + "3"),
    "iam:UpdateRole": case(role, RoleName="$n", Description="d"),
    "iam:UpdateRoleDescription": case(role, RoleName="$n", Description="d"),
    "iam:UpdateUser": case(user, UserName="$n", NewUserName="$n-new"),
    "iam:AddClientIDToOpenIDConnectProvider": case(oidc, OpenIDConnectProviderArn=OIDC_ARN, ClientID="third"),
    "iam:CreateOpenIDConnectProvider": case(Url="https://$n.example.com", ClientIDList=["stoa"], ThumbprintList=["ab" * 20], Tags=TAGS),
    "iam:CreateSAMLProvider": case(Name="$n", SAMLMetadataDocument=METADATA, Tags=TAGS),
    "iam:DeleteOpenIDConnectProvider": case(oidc, OpenIDConnectProviderArn=OIDC_ARN),
    "iam:DeleteSAMLProvider": case(saml, SAMLProviderArn=SAML_ARN),
    "iam:GetOpenIDConnectProvider": case(oidc, OpenIDConnectProviderArn=OIDC_ARN),
    "iam:GetSAMLProvider": case(saml, SAMLProviderArn=SAML_ARN),
    "iam:ListOpenIDConnectProviderTags": case(oidc, OpenIDConnectProviderArn=OIDC_ARN),
    "iam:ListOpenIDConnectProviders": case(),
    "iam:ListSAMLProviderTags": case(saml, SAMLProviderArn=SAML_ARN),
    "iam:ListSAMLProviders": case(),
    "iam:RemoveClientIDFromOpenIDConnectProvider": case(oidc, OpenIDConnectProviderArn=OIDC_ARN, ClientID="other"),
    "iam:TagOpenIDConnectProvider": case(oidc, OpenIDConnectProviderArn=OIDC_ARN, Tags=TAGS),
    "iam:TagSAMLProvider": case(saml, SAMLProviderArn=SAML_ARN, Tags=TAGS),
    "iam:UntagOpenIDConnectProvider": case(oidc, OpenIDConnectProviderArn=OIDC_ARN, TagKeys=["team"]),
    "iam:UntagSAMLProvider": case(saml, SAMLProviderArn=SAML_ARN, TagKeys=["team"]),
    "iam:UpdateOpenIDConnectProviderThumbprint": case(oidc, OpenIDConnectProviderArn=OIDC_ARN, ThumbprintList=["cd" * 20]),
    "iam:UpdateSAMLProvider": case(saml, SAMLProviderArn=SAML_ARN, SAMLMetadataDocument=METADATA),
    "kms:CancelKeyDeletion": case(pending, KeyId=NO_KEY),
    "kms:CreateAlias": case(to_alias, AliasName="alias/$n", TargetKeyId=NO_KEY),
    "kms:CreateGrant": case(symmetric, KeyId=NO_KEY, GranteePrincipal="arn:aws:iam::$account:root", Operations=["Encrypt"]),
    "kms:CreateKey": case(Tags=KMS_TAGS),
    "kms:Decrypt": case(ciphertext, KeyId=NO_KEY, CiphertextBlob=b"x"),
    "kms:DeleteAlias": case(key_alias, AliasName="alias/$n"),
    "kms:DeriveSharedSecret": case(agreed, KeyId=NO_KEY, KeyAgreementAlgorithm="ECDH", PublicKey=b"x"),
    "kms:DescribeKey": case(symmetric, KeyId=NO_KEY),
    "kms:DisableKey": case(symmetric, KeyId=NO_KEY),
    "kms:DisableKeyRotation": case(rotating, KeyId=NO_KEY),
    "kms:EnableKey": case(disabled, KeyId=NO_KEY),
    "kms:EnableKeyRotation": case(symmetric, KeyId=NO_KEY),
    "kms:Encrypt": case(symmetric, KeyId=NO_KEY, Plaintext=b"x"),
    "kms:GenerateDataKey": case(symmetric, KeyId=NO_KEY, KeySpec="AES_256"),
    "kms:GenerateDataKeyPair": case(symmetric, KeyId=NO_KEY, KeyPairSpec="ECC_NIST_P256"),
    "kms:GenerateDataKeyPairWithoutPlaintext": case(symmetric, KeyId=NO_KEY, KeyPairSpec="ECC_NIST_P256"),
    "kms:GenerateDataKeyWithoutPlaintext": case(symmetric, KeyId=NO_KEY, KeySpec="AES_256"),
    "kms:GenerateMac": case(mac, KeyId=NO_KEY, Message=b"x", MacAlgorithm="HMAC_SHA_256"),
    "kms:GenerateRandom": case(NumberOfBytes=8),
    "kms:GetKeyPolicy": case(symmetric, KeyId=NO_KEY),
    "kms:GetKeyRotationStatus": case(symmetric, KeyId=NO_KEY),
    "kms:GetPublicKey": case(signing, KeyId=NO_KEY),
    "kms:ListAliases": case(),
    "kms:ListGrants": case(symmetric, KeyId=NO_KEY),
    "kms:ListKeyPolicies": case(symmetric, KeyId=NO_KEY),
    "kms:ListKeyRotations": case(symmetric, KeyId=NO_KEY),
    "kms:ListKeys": case(),
    "kms:ListResourceTags": case(symmetric, KeyId=NO_KEY),
    "kms:ListRetirableGrants": case(RetiringPrincipal="arn:aws:iam::$account:root"),
    "kms:PutKeyPolicy": case(symmetric, KeyId=NO_KEY, Policy=key_policy("$account")),
    "kms:ReEncrypt": case(reencrypted, SourceKeyId=NO_KEY, DestinationKeyId=NO_KEY, CiphertextBlob=b"x"),
    "kms:RetireGrant": case(grant, KeyId=NO_KEY, GrantId="0" * 64),
    "kms:RevokeGrant": case(grant, KeyId=NO_KEY, GrantId="0" * 64),
    "kms:RotateKeyOnDemand": case(symmetric, KeyId=NO_KEY),
    "kms:ScheduleKeyDeletion": case(symmetric, KeyId=NO_KEY, PendingWindowInDays=7),
    "kms:Sign": case(signing, KeyId=NO_KEY, Message=b"x", SigningAlgorithm="ECDSA_SHA_256"),
    "kms:TagResource": case(symmetric, KeyId=NO_KEY, Tags=KMS_TAGS),
    "kms:UntagResource": case(symmetric, KeyId=NO_KEY, TagKeys=["team"]),
    "kms:UpdateAlias": case(moved_alias, AliasName="alias/$n", TargetKeyId=NO_KEY),
    "kms:UpdateKeyDescription": case(symmetric, KeyId=NO_KEY, Description="d"),
    "kms:Verify": case(signed, KeyId=NO_KEY, Message=b"x", SigningAlgorithm="ECDSA_SHA_256", Signature=b"x"),
    "kms:VerifyMac": case(macced, KeyId=NO_KEY, Message=b"x", MacAlgorithm="HMAC_SHA_256", Mac=b"x"),
    "organizations:AttachPolicy": case(scp(), unit("TargetId"), PolicyId=NO_POLICY, TargetId=NO_UNIT),
    "organizations:CloseAccount": case(member(), AccountId=NO_ACCOUNT),
    "organizations:CreateAccount": case(Email="$n@example.com", AccountName="$n", Tags=TAGS),
    "organizations:CreateOrganization": case(),
    "organizations:CreateOrganizationalUnit": case(unit("ParentId"), ParentId=NO_UNIT, Name="$n", Tags=TAGS),
    "organizations:CreatePolicy": case(Name="$n", Description="", Type="SERVICE_CONTROL_POLICY", Content=SCP, Tags=TAGS),
    "organizations:DeleteOrganizationalUnit": case(unit(), OrganizationalUnitId=NO_UNIT),
    "organizations:DeletePolicy": case(scp(), PolicyId=NO_POLICY),
    "organizations:DeleteResourcePolicy": case(delegation),
    "organizations:DeregisterDelegatedAdministrator": case(delegated, AccountId=NO_ACCOUNT, ServicePrincipal="ram.amazonaws.com"),
    "organizations:DescribeAccount": case(member(), AccountId=NO_ACCOUNT),
    "organizations:DescribeCreateAccountStatus": case(request_of_account, CreateAccountRequestId="car-00000000"),
    "organizations:DescribeEffectivePolicy": case(member("TargetId"), PolicyType="TAG_POLICY", TargetId=NO_ACCOUNT),
    "organizations:DescribeOrganization": case(),
    "organizations:DescribeOrganizationalUnit": case(unit(), OrganizationalUnitId=NO_UNIT),
    "organizations:DescribePolicy": case(scp(), PolicyId=NO_POLICY),
    "organizations:DescribeResourcePolicy": case(delegation),
    "organizations:DetachPolicy": case(attached_scp, PolicyId=NO_POLICY, TargetId=NO_UNIT),
    "organizations:DisableAWSServiceAccess": case(trusted, ServicePrincipal="ram.amazonaws.com"),
    "organizations:DisablePolicyType": case(root_of("RootId"), RootId="r-0000", PolicyType="SERVICE_CONTROL_POLICY"),
    "organizations:EnableAWSServiceAccess": case(ServicePrincipal="ram.amazonaws.com"),
    "organizations:EnablePolicyType": case(root_of("RootId"), RootId="r-0000", PolicyType="RESOURCE_CONTROL_POLICY"),
    "organizations:LeaveOrganization": case(),
    "organizations:ListAWSServiceAccessForOrganization": case(),
    "organizations:ListAccounts": case(),
    "organizations:ListAccountsForParent": case(unit("ParentId"), ParentId=NO_UNIT),
    "organizations:ListChildren": case(unit("ParentId"), ParentId=NO_UNIT, ChildType="ACCOUNT"),
    "organizations:ListCreateAccountStatus": case(),
    "organizations:ListDelegatedAdministrators": case(ServicePrincipal="ram.amazonaws.com"),
    "organizations:ListDelegatedServicesForAccount": case(delegated, AccountId=NO_ACCOUNT),
    "organizations:ListOrganizationalUnitsForParent": case(unit("ParentId"), ParentId=NO_UNIT),
    "organizations:ListParents": case(member("ChildId"), ChildId=NO_ACCOUNT),
    "organizations:ListPolicies": case(Filter="SERVICE_CONTROL_POLICY"),
    "organizations:ListPoliciesForTarget": case(unit("TargetId"), TargetId=NO_UNIT, Filter="SERVICE_CONTROL_POLICY"),
    "organizations:ListRoots": case(),
    "organizations:ListTagsForResource": case(unit("ResourceId"), ResourceId=NO_UNIT),
    "organizations:ListTargetsForPolicy": case(scp(), PolicyId=NO_POLICY),
    "organizations:MoveAccount": case(moving, AccountId=NO_ACCOUNT, SourceParentId="r-0000", DestinationParentId=NO_UNIT),
    "organizations:PutResourcePolicy": case(Content=delegation_of("$account")),
    "organizations:RegisterDelegatedAdministrator": case(trusted_member, AccountId=NO_ACCOUNT, ServicePrincipal="ram.amazonaws.com"),
    "organizations:RemoveAccountFromOrganization": case(member(), AccountId=NO_ACCOUNT),
    "organizations:TagResource": case(unit("ResourceId"), ResourceId=NO_UNIT, Tags=TAGS),
    "organizations:UntagResource": case(unit("ResourceId"), ResourceId=NO_UNIT, TagKeys=["team"]),
    "organizations:UpdateOrganizationalUnit": case(unit(), OrganizationalUnitId=NO_UNIT, Name="$n-new"),
    "organizations:UpdatePolicy": case(scp(), PolicyId=NO_POLICY, Description="d"),
    "ram:AcceptResourceShareInvitation": case(invited, resourceShareInvitationArn=NO_INVITATION),
    "ram:AssociateResourceShare": case(empty_share, hub, resourceShareArn=NO_SHARE, resourceArns=[HUB_ARN]),
    "ram:AssociateResourceSharePermission": case(empty_share, resourceShareArn=NO_SHARE, permissionArn=f"{HUB_PERMISSION}ReadAndUse", replace=True),
    "ram:CreatePermission": case(name="$n", resourceType="sagemaker:Hub", policyTemplate=TEMPLATE, tags=RAM_TAGS),
    "ram:CreatePermissionVersion": case(ram_permission, permissionArn=NO_PERMISSION, policyTemplate=TEMPLATE),
    "ram:CreateResourceShare": case(hub, name="$n", resourceArns=[HUB_ARN], tags=RAM_TAGS),
    "ram:DeletePermission": case(ram_permission, permissionArn=NO_PERMISSION),
    "ram:DeletePermissionVersion": case(ram_versions, permissionArn=NO_PERMISSION, permissionVersion=1),
    "ram:DeleteResourceShare": case(shared, resourceShareArn=NO_SHARE),
    "ram:DisassociateResourceShare": case(shared, resourceShareArn=NO_SHARE, resourceArns=[HUB_ARN]),
    "ram:DisassociateResourceSharePermission": case(empty_share, resourceShareArn=NO_SHARE, permissionArn=f"{HUB_PERMISSION}Read"),
    "ram:EnableSharingWithAwsOrganization": case(),
    "ram:GetPermission": case(ram_permission, permissionArn=NO_PERMISSION),
    "ram:GetResourcePolicies": case(shared_hub, resourceArns=[HUB_ARN]),
    "ram:GetResourceShareAssociations": case(associationType="PRINCIPAL"),
    "ram:GetResourceShareInvitations": case(),
    "ram:GetResourceShares": case(resourceOwner="SELF"),
    "ram:ListPendingInvitationResources": case(invited, resourceShareInvitationArn=NO_INVITATION),
    "ram:ListPermissionAssociations": case(permissionArn=f"{HUB_PERMISSION}Read"),
    "ram:ListPermissionVersions": case(permissionArn=f"{HUB_PERMISSION}Read"),
    "ram:ListPermissions": case(),
    "ram:ListPrincipals": case(resourceOwner="SELF"),
    "ram:ListReplacePermissionAssociationsWork": case(),
    "ram:ListResourceSharePermissions": case(shared, resourceShareArn=NO_SHARE),
    "ram:ListResourceTypes": case(),
    "ram:ListResources": case(resourceOwner="OTHER-ACCOUNTS"),
    "ram:RejectResourceShareInvitation": case(invited, resourceShareInvitationArn=NO_INVITATION),
    "ram:ReplacePermissionAssociations": case(ram_permission, fromPermissionArn=f"{HUB_PERMISSION}Read", toPermissionArn=NO_PERMISSION),
    "ram:SetDefaultPermissionVersion": case(ram_versions, permissionArn=NO_PERMISSION, permissionVersion=1),
    "ram:TagResource": case(shared, resourceShareArn=NO_SHARE, tags=RAM_TAGS),
    "ram:UntagResource": case(ram_permission, resourceArn=NO_PERMISSION, tagKeys=["team"]),
    "ram:UpdateResourceShare": case(shared, resourceShareArn=NO_SHARE, name="$n-new"),
    "s3:AbortMultipartUpload": case(upload, Bucket="$n", Key="k", UploadId="u"),
    "s3:CompleteMultipartUpload": case(uploaded, Bucket="$n", Key="k", UploadId="u", MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": "e"}]}),
    "s3:CopyObject": case(object_, Bucket="$n", Key="copy", CopySource="$n/k"),
    "s3:CreateBucket": case(Bucket="$n", CreateBucketConfiguration={"LocationConstraint": REGION}),
    "s3:CreateMultipartUpload": case(bucket, Bucket="$n", Key="k", Tagging="team=one"),
    "s3:DeleteBucket": case(bucket, Bucket="$n"),
    "s3:DeleteBucketEncryption": case(bucket, Bucket="$n"),
    "s3:DeleteBucketPolicy": case(bucket_policy, Bucket="$n"),
    "s3:DeleteBucketTagging": case(bucket_tags, Bucket="$n"),
    "s3:DeleteObject": case(object_, Bucket="$n", Key="k"),
    "s3:DeleteObjectTagging": case(object_, Bucket="$n", Key="k"),
    "s3:DeletePublicAccessBlock": case(access_block, Bucket="$n"),
    "s3:GetBucketAcl": case(bucket, Bucket="$n"),
    "s3:GetBucketEncryption": case(bucket_encryption, Bucket="$n"),
    "s3:GetBucketLocation": case(bucket, Bucket="$n"),
    "s3:GetBucketOwnershipControls": case(bucket, Bucket="$n"),
    "s3:GetBucketPolicy": case(bucket_policy, Bucket="$n"),
    "s3:GetBucketPolicyStatus": case(bucket_policy, Bucket="$n"),
    "s3:GetBucketTagging": case(bucket_tags, Bucket="$n"),
    "s3:GetBucketVersioning": case(bucket, Bucket="$n"),
    "s3:GetObject": case(object_, Bucket="$n", Key="k"),
    "s3:GetObjectAcl": case(object_, Bucket="$n", Key="k"),
    "s3:GetObjectAttributes": case(object_, Bucket="$n", Key="k", ObjectAttributes=["ETag"]),
    "s3:GetObjectTagging": case(object_, Bucket="$n", Key="k"),
    "s3:GetPublicAccessBlock": case(access_block, Bucket="$n"),
    "s3:ListBuckets": case(),
    "s3:ListMultipartUploads": case(bucket, Bucket="$n"),
    "s3:ListObjects": case(bucket, Bucket="$n"),
    "s3:ListObjectsV2": case(bucket, Bucket="$n", Prefix="a"),
    "s3:ListParts": case(upload, Bucket="$n", Key="k", UploadId="u"),
    "s3:PutBucketEncryption": case(bucket, Bucket="$n", ServerSideEncryptionConfiguration=SSE),
    "s3:PutBucketPolicy": case(bucket, Bucket="$n", Policy=own_policy("$n", "$account")),
    "s3:PutBucketTagging": case(bucket, Bucket="$n", Tagging={"TagSet": TAGS}),
    "s3:PutObject": case(bucket, Bucket="$n", Key="k", Body=b"x", Tagging="team=one"),
    "s3:PutObjectTagging": case(object_, Bucket="$n", Key="k", Tagging={"TagSet": TAGS}),
    "s3:PutPublicAccessBlock": case(bucket, Bucket="$n", PublicAccessBlockConfiguration=BLOCK),
    "s3:DeleteBucketCors": case(cors, Bucket="$n"),
    "s3:DeleteBucketLifecycle": case(lifecycle, Bucket="$n"),
    "s3:DeleteBucketOwnershipControls": case(bucket, Bucket="$n"),
    "s3:GetBucketCors": case(cors, Bucket="$n"),
    "s3:GetBucketLifecycleConfiguration": case(lifecycle, Bucket="$n"),
    "s3:GetBucketNotificationConfiguration": case(bucket, Bucket="$n"),
    "s3:ListObjectVersions": case(bucket, Bucket="$n", Prefix="a"),
    "s3:PutBucketCors": case(bucket, Bucket="$n", CORSConfiguration=CORS),
    "s3:PutBucketLifecycleConfiguration": case(bucket, Bucket="$n", LifecycleConfiguration=LIFECYCLE),
    "s3:PutBucketNotificationConfiguration": case(bucket, Bucket="$n", NotificationConfiguration={"EventBridgeConfiguration": {}}),
    "s3:PutBucketOwnershipControls": case(bucket, Bucket="$n", OwnershipControls=OWNERSHIP),
    "s3:PutBucketVersioning": case(bucket, Bucket="$n", VersioningConfiguration={"Status": "Enabled"}),
    "s3:UploadPart": case(upload, Bucket="$n", Key="k", PartNumber=1, Body=b"x", UploadId="u"),
    "s3:UploadPartCopy": case(copied_part, Bucket="$n", Key="copy", PartNumber=1, CopySource="$n/k", UploadId="u"),
    "sagemaker:AddTags": case(hub, ResourceArn=HUB_ARN, Tags=TAGS),
    "sagemaker:CreateEndpoint": case(endpoint_config, EndpointName="$n", EndpointConfigName="$n", Tags=TAGS),
    "sagemaker:CreateEndpointConfig": case(model, EndpointConfigName="$n", ProductionVariants=variants("$n"), Tags=TAGS),
    "sagemaker:CreateHub": case(HubName="$n", HubDescription="d", Tags=TAGS),
    "sagemaker:CreateHubContentPresignedUrls": case(reference, **CONTENT),
    "sagemaker:CreateHubContentReference": case(hub, HubName="$n", SageMakerPublicHubContentArn=REFERENCE, Tags=TAGS),
    "sagemaker:CreateModel": case(new_model, ModelName="$n", Tags=TAGS),
    "sagemaker:DeleteEndpoint": case(endpoint, EndpointName="$n"),
    "sagemaker:DeleteEndpointConfig": case(endpoint_config, EndpointConfigName="$n"),
    "sagemaker:DeleteHub": case(hub, HubName="$n"),
    "sagemaker:DeleteHubContent": case(content, **OWN, HubContentVersion="1.0.0"),
    "sagemaker:DeleteHubContentReference": case(reference, **CONTENT),
    "sagemaker:DeleteModel": case(model, ModelName="$n"),
    "sagemaker:DeleteTags": case(hub, ResourceArn=HUB_ARN, TagKeys=["team"]),
    "sagemaker:DescribeEndpoint": case(deployed, EndpointName="$n"),
    "sagemaker:DescribeEndpointConfig": case(endpoint_config, EndpointConfigName="$n"),
    "sagemaker:DescribeHub": case(hub, HubName="$n"),
    "sagemaker:DescribeHubContent": case(content, **OWN),
    "sagemaker:DescribeModel": case(model, ModelName="$n"),
    "sagemaker:ImportHubContent": case(own_document, **OWN, DocumentSchemaVersion="2.3.0", HubContentDocument="{}", Tags=TAGS),
    "sagemaker:ListEndpointConfigs": case(),
    "sagemaker:ListEndpoints": case(),
    "sagemaker:ListHubContentVersions": case(content, **OWN),
    "sagemaker:ListHubContents": case(hub, HubName="$n", HubContentType="Model"),
    "sagemaker:ListHubs": case(),
    "sagemaker:ListModels": case(),
    "sagemaker:ListTags": case(hub, ResourceArn=HUB_ARN),
    "sagemaker:Search": case(content, Resource="HubContent", SearchExpression={"Filters": [{"Name": "HubContentName", "Value": "$n"}]}),
    "sagemaker:UpdateEndpoint": case(endpoint, EndpointName="$n", EndpointConfigName="$n"),
    "sagemaker:UpdateHub": case(hub, HubName="$n", HubDescription="e"),
    "sagemaker:UpdateHubContent": case(content, **OWN, HubContentVersion="1.0.0", HubContentDescription="e"),
    "sagemaker:UpdateHubContentReference": case(reference, **CONTENT, MinVersion="1.0.0"),
    "sagemaker-runtime:InvokeEndpoint": case(deployed, EndpointName="$n", Body=IRIS_BODY, ContentType="application/json"),
    "sts:AssumeRole": case(role, RoleArn=ARN + "role/$n", RoleSessionName="session"),
    "sts:DecodeAuthorizationMessage": case(refusal, EncodedMessage="none"),
    "sts:GetAccessKeyInfo": case(user, key, AccessKeyId="AKIAABCDEFGHIJKLMNOP"),
    "sts:GetFederationToken": case(Name="$n", Tags=TAGS),
}

# Nobody needs a permission for these, as AWS documents: they succeed without any.
OPEN = {
    "sts:GetCallerIdentity": {},
    "sts:GetSessionToken": {},
}

# The refusal names a resource that only the store knows, by the id that the caller must have had: as AWS does.
TELLING = {
    "iam:DeleteServiceLinkedRole": "the path of a role, which is part of its ARN",
    "iam:GetAccessKeyLastUsed": "the user who owns the key",
    "iam:GetServiceLinkedRoleDeletionStatus": "the role, which is in the task's id",
}

# Allowed, yet here it cannot succeed: what AWS answers instead.
ANSWERS = {
    "organizations:CreateOrganization": "AlreadyInOrganizationException",
    "organizations:DescribeEffectivePolicy": "EffectivePolicyNotFoundException",
    "organizations:LeaveOrganization": "MasterCannotLeaveOrganizationException",
    # Stoa's own: an account is nothing outside the organization.
    "organizations:RemoveAccountFromOrganization": "ConstraintViolationException",
}

# Not in the table, each with the reason.
EXEMPT = {
    "s3:HeadBucket": "a HEAD has no body: no refusal says what is missing (see test_heads)",
    "s3:HeadObject": "a HEAD has no body: no refusal says what is missing (see test_heads)",
    "s3:DeleteObjects": "each key is decided and answered by itself (test_s3)",
    "sts:AssumeRoleWithSAML": "unsigned: assertion and trust policy decide (test_federation)",
    "sts:AssumeRoleWithWebIdentity": "unsigned: token and trust policy decide (test_federation)",
    "stoa:CreateHuggingFaceToken": "Stoa's own service, which boto3 does not know (test_huggingface)",
    **{
        f"stoa:{name}": "Stoa's own service, which boto3 does not know (test_hub_settings)"
        for name in ("DescribeHubSettings", "PutHubSettings")
    },
    **{
        f"stoa:{name}": "Stoa's own service, which boto3 does not know (test_admission)"
        for name in ("DescribeHubAdmissionPolicy", "DescribeModelProvenance", "PutHubAdmissionPolicy")
    },
    **{
        f"stoa:{name}": "Stoa's own service, which boto3 does not know (test_eula)"
        for name in ("ListEulaAcceptances", "PutEulaDecision")
    },
    **{
        f"stoa:{name}": "Stoa's own service, which boto3 does not know (test_hub_rules)"
        for name in ("DescribeHubRules", "ListHubRuleChanges", "PreviewHubRules", "PutHubRules")
    },
    **{
        f"stoa:{name}": "Stoa's own service, which boto3 does not know (test_insight)"
        for name in ("ExplainDecision", "GetAccessMatrix", "LintPolicy", "ListPrincipalsWithAccess", "ReplayPolicy")
    },
}


def implemented():
    """Every implemented operation as `service:Name`, from the generated pages."""
    found, service = [], None
    for line in (ROOT / "docs" / "compatibility.md").read_text().splitlines():
        if heading := re.match(r"## .*\(`([\w-]+)`, ", line):
            service = heading.group(1)
        elif service and (row := re.match(r"\| (\w+) \| (Read|Write|List|Tagging|PermissionsManagement) \|", line)):
            found.append(f"{service}:{row.group(1)}")
    served = tomllib.loads((ROOT / "facts" / "s3" / "overlay.toml").read_text())["served"]
    return found + [f"s3:{name}" for name in served]


IMPLEMENTED = implemented()


def test_every_implemented_operation_has_a_line():
    known = set(CASES) | set(OPEN) | set(EXEMPT)
    missing = sorted(set(IMPLEMENTED) - known)
    assert not missing, f"add a line to CASES for each of: {', '.join(missing)}"
    gone = sorted(known - set(IMPLEMENTED))
    assert not gone, f"not implemented: {', '.join(gone)}"
    assert len(IMPLEMENTED) > 150


@pytest.fixture(scope="module")
def worlds(server):
    """An account for all; the management account for what only that may do."""
    everywhere = World(server.new_account("every-operation"))
    admin = World(server.admin())
    return {"": everywhere, "organizations": admin, "ram:EnableSharingWithAwsOrganization": admin}


@pytest.fixture
def world(worlds):
    return worlds[""]


def filled(value, **names):
    """The arguments with `$name`s filled in."""
    if isinstance(value, str):
        for name, text in names.items():
            value = value.replace(f"${name}", text)
        return value
    if isinstance(value, dict):
        return {key: filled(inner, **names) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, **names) for inner in value]
    return value


CLIENTS = {}
SESSION = botocore.session.Session()


def call(who, operation, arguments):
    """One session loads the models once for all; a client lives as long as its credentials."""
    service, name = operation.split(":")
    client = CLIENTS.get((who.key, service))
    if client is None:
        client = CLIENTS[who.key, service] = SESSION.create_client(
            service, REGION, endpoint_url=who.server.url, aws_access_key_id=who.key, aws_secret_access_key=who.secret,
            aws_session_token=who.token, config=Config(retries={"total_max_attempts": 1}, proxies=NO_PROXIES),
        )
    return getattr(client, xform_name(name))(**arguments)


def refusal_of(who, operation, arguments):
    """Code, status and message of a call that must be refused."""
    with pytest.raises(ClientError) as caught:
        call(who, operation, arguments)
    answer = caught.value.response
    error = answer["Error"]
    assert error["Code"] in ("AccessDenied", "AccessDeniedException"), f"{operation}: {error}"
    return error["Code"], answer["ResponseMetadata"]["HTTPStatusCode"], error["Message"]


@pytest.mark.parametrize("operation", sorted(CASES))
def test_operation(worlds, operation):
    setups, arguments = CASES[operation]
    world = worlds.get(operation) or worlds.get(operation.split(":")[0], worlds[""])
    n = "op-" + operation.replace(":", "-").lower()
    n = n if len(n) <= 40 else n[:30] + hashlib.sha256(n.encode()).hexdigest()[:8]
    caller = world.account.new_user(f"{n}-caller")
    arguments = filled(arguments, n=n, account=world.account.id, caller=f"{n}-caller")

    # Refused, and the same whether the resource is there or not. That a bucket is there, S3 tells everybody.
    if "Bucket" in arguments and setups:
        bucket(world, n)
    before = refusal_of(world.nobody, operation, arguments)
    found = {}
    for setup in setups:
        found.update(setup(world, n) or {})
    exact = {**arguments, **found}
    after = refusal_of(world.nobody, operation, arguments)
    assert before == after, "the refusal tells what is there"
    code, status, message = refusal_of(world.nobody, operation, exact)
    for name, value in found.items():
        if isinstance(value, str) and isinstance(arguments.get(name), str):
            message = message.replace(value, arguments[name])
    assert (code, status, message) == before or operation in TELLING, "the refusal tells what is there"

    # Allowed by exactly what the refusals name.
    granted = []
    for _ in range(12):
        try:
            call(caller, operation, exact)
            break
        except ClientError as error:
            told = error.response["Error"]
            if told["Code"] == ANSWERS.get(operation):
                break
            assert told["Code"] in ("AccessDenied", "AccessDeniedException"), f"with {granted}: {told}"
            wanted = DENIED.search(told["Message"])
            assert wanted, told
            assert wanted.groups() not in granted, f"{wanted.groups()} is not enough: {told}"
            granted.append(wanted.groups())
            statements = [{"Effect": "Allow", "Action": action, "Resource": resource} for action, resource in granted]
            document = json.dumps({"Version": "2012-10-17", "Statement": statements})
            world.iam.put_user_policy(UserName=f"{n}-caller", PolicyName="exact", PolicyDocument=document)
    else:
        pytest.fail(f"still refused with {granted}")
    assert granted, "it needed no permission at all"


@pytest.mark.parametrize("operation", sorted(OPEN))
def test_open_operation(world, operation):
    call(world.nobody, operation, OPEN[operation])


def test_heads(world):
    """HEAD of bucket and object: 403 without permission, 200 with it."""
    n = "op-s3-heads"
    object_(world, n)
    for arguments, action, resource in (
        ({"Bucket": n}, "s3:ListBucket", f"arn:aws:s3:::{n}"),
        ({"Bucket": n, "Key": "k"}, "s3:GetObject", f"arn:aws:s3:::{n}/k"),
    ):
        name = "head_object" if "Key" in arguments else "head_bucket"
        with pytest.raises(ClientError) as caught:
            getattr(world.nobody.client("s3"), name)(**arguments)
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
        allowed = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": resource}]}
        reader = world.account.new_user(f"{n}-{name.replace('_', '-')}", allowed)
        getattr(reader.client("s3"), name)(**arguments)
