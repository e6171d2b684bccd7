"""The guardrails of AWS's guides for administrators of SageMaker (`tests/fixtures/policies`), each attached as the guide
says and then met by a persona with boto3: once within the guardrail, once against it.

Many name operations that Stoa does not handle yet. Those are decided all the same, and `UnknownOperationException` comes
only after the decision: for these, it is what 'allowed' looks like. What no call can show yet (services that are not
spoken, tags of resources that cannot be made) is asked of `SimulateCustomPolicy`.
"""

import json

import pytest
from botocore.exceptions import ClientError

from conftest import keep_or_remove, new_server
from support import IRIS, PUBLIC_HUB, REGION, ROOT, allow, policy, public_model, refused, statement, trust

POLICIES = ROOT / "tests" / "fixtures" / "policies"
VPC = "vpc-111bbaaa"
KEY = f"arn:aws:kms:{REGION}:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
USED = set()
# Not attached in any test, each with the reason.
ELSEWHERE = {
    "guardrails/logs-kms-key-policy": "a key policy for CloudWatch Logs itself, which Stoa does not speak yet",
}


def document(name, **replaced):
    """A policy as it is printed, with this site's names in place of the guide's."""
    USED.add(name)
    text = (POLICIES / f"{name}.json").read_text()
    for old, new in replaced.items():
        assert old in text, f"{name} has no {old}"
        text = text.replace(old, new)
    return json.loads(text)


def with_version(found):
    return {"Version": "2012-10-17", **found}


ENDPOINTS = {
    "vpce-111bbccc": VPC,
    "vpce-222bbddd": "vpc-other",
}
ENDPOINT_POLICIES = {
    "vpce-notebook": "endpoint/notebook-create-presigned-url-myNotebookInstance",
    "vpce-invoke": "endpoint/sagemaker-api-invoke-endpoint-myEndpoint",
    "vpce-apps": "endpoint/studio-create-app-kernelgateway",
    "vpce-domain": "endpoint/studio-create-presigned-domain-url",
    "vpce-mlflow": "endpoint/mlflow-tracking-servers-only",
    "vpce-linux": "endpoint/s3-deny-amazon-linux-repositories",
    "vpce-linux2": "endpoint/s3-deny-amazon-linux2-repositories",
}


@pytest.fixture(scope="module")
def server(request):
    """With a listener for each VPC endpoint; the policies of the guides name an account, which is made first."""
    made = new_server(request)
    made.start()
    owner = made.new_account("endpoints")
    made.stop()
    tables = []
    for name in [*ENDPOINTS, *ENDPOINT_POLICIES]:
        lines = ["[[vpc_endpoints]]", f'id = "{name}"', f'vpc = "{ENDPOINTS.get(name, VPC)}"', 'listen = "127.0.0.1:0"']
        if name in ENDPOINT_POLICIES:
            text = json.dumps(with_version(document(ENDPOINT_POLICIES[name])))
            for old in ("123456789012", "111122223333", "acct-id"):
                text = text.replace(old, owner.id)
            if "linux" in name:
                # As printed it denies only, and so would allow nothing: see test_endpoint_policies_that_only_deny.
                (made.home / f"{name}-only.json").write_text(text)
                found = json.loads(text)
                found["Statement"].append({**statement("Allow", "*"), "Principal": "*"})
                text = json.dumps(found)
            (made.home / f"{name}.json").write_text(text)
            lines.append(f'policy = "{name}.json"')
        tables.append("\n".join(lines))
    lines = ["[[vpc_endpoints]]", 'id = "vpce-only"', f'vpc = "{VPC}"', 'listen = "127.0.0.1:0"', 'policy = "vpce-linux-only.json"']
    config = made.home / "stoa.toml"
    config.write_text("\n\n".join([*tables, "\n".join(lines)]) + "\n")
    made.arguments += ["--config", str(config)]
    made.start()
    made.owner = owner
    yield made
    assert made.running(), made.log_tail()
    assert made.stop() == 0, made.log_tail()
    keep_or_remove(request, made)


def through(server, name):
    for line in server.output.read_text().splitlines():
        if line.startswith(f"vpc endpoint {name} on "):
            return line.rsplit(" ", 1)[1]
    raise AssertionError(f"no line for {name}: {server.output.read_text()}")


# Roles are passed within an account only: this stands for the persona's own in the requests below.
ACCOUNT = "111122223333"
OWN = {"account": ACCOUNT}


def own(value):
    """The arguments with roles of the persona's account."""
    if isinstance(value, dict):
        return {name: own(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [own(inner) for inner in value]
    return value.replace(f"iam::{ACCOUNT}:", f"iam::{OWN['account']}:") if isinstance(value, str) else value


def persona(account, name, *policies):
    """A data scientist with the rights that every job needs besides, and these policies."""
    OWN["account"] = account.id
    base = policy(statement("Allow", ["iam:PassRole", "sagemaker:AddTags"]))
    return account.new_user(name, base, *policies)


def allowed(client, operation, **arguments):
    """The call is allowed: it succeeds, or is only then found not to be implemented, or fails at what is not there."""
    try:
        getattr(client, operation)(**own(arguments))
    except ClientError as error:
        told = error.response["Error"]
        if told["Code"] == "UnknownOperationException":
            assert "not implemented" in told["Message"], told
            return
        assert told["Code"] not in ("AccessDenied", "AccessDeniedException"), told
        assert told["Code"] in ("ValidationException", "ValidationError", "ResourceNotFound", "NoSuchKey", "NoSuchBucket"), told


def denied(client, operation, *words, **arguments):
    with refused("AccessDeniedException", *words):
        getattr(client, operation)(**own(arguments))


EXPLICIT = "with an explicit deny in an identity-based policy"


def none_allows(action):
    return f"because no identity-based policy allows the {action} action"


# ---- requests as a data scientist makes them ------------------------------------------------------------------------------

DOMAIN = {"DomainName": "d", "AuthMode": "IAM", "DefaultUserSettings": {"ExecutionRole": "arn:aws:iam::111122223333:role/r"}, "VpcId": "vpc-1"}


def app(**resource):
    more = {"ResourceSpec": resource} if resource else {}
    return {"DomainId": "d-1", "UserProfileName": "ana", "AppType": "KernelGateway", "AppName": "a", **more}


def training(**more):
    return {
        "TrainingJobName": "t", "RoleArn": "arn:aws:iam::111122223333:role/r",
        "AlgorithmSpecification": {"TrainingInputMode": "File"}, "OutputDataConfig": {"S3OutputPath": "s3://b/o"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60}, **more,
    }


def processing(**more):
    cluster = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
    return {
        "ProcessingJobName": "p", "RoleArn": "arn:aws:iam::111122223333:role/r",
        "AppSpecification": {"ImageUri": "i"}, "ProcessingResources": {"ClusterConfig": cluster}, **more,
    }


def schedule(volume=None, output=None):
    cluster = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
    outputs = {"MonitoringOutputs": [{"S3Output": {"S3Uri": "s3://b/o", "LocalPath": "/o"}}]}
    if volume:
        cluster["VolumeKmsKeyId"] = volume
    if output:
        outputs["KmsKeyId"] = output
    job = {
        "MonitoringInputs": [{"EndpointInput": {"EndpointName": "e", "LocalPath": "/i"}}], "MonitoringOutputConfig": outputs,
        "MonitoringResources": {"ClusterConfig": cluster}, "MonitoringAppSpecification": {"ImageUri": "i"},
        "RoleArn": "arn:aws:iam::111122223333:role/r",
    }
    return {"MonitoringScheduleName": "s", "MonitoringScheduleConfig": {"MonitoringJobDefinition": job}}


def tags(**named):
    return [{"Key": name, "Value": value} for name, value in named.items()]


# ---- notebooks, domains, images --------------------------------------------------------------------------------------------


def check_instance_types(sagemaker, reason):
    for instance in ("ml.t3.medium", "ml.m5.large", "system"):
        allowed(sagemaker, "create_app", **app(InstanceType=instance))
    denied(sagemaker, "create_app", "sagemaker:CreateApp", reason, **app(InstanceType="ml.p4d.24xlarge"))
    # The default app names no type and runs on `system`: the deny must not miss what is silent, nor meet it.
    allowed(sagemaker, "create_app", **app())


def test_notebooks_on_allowed_instance_types(account):
    guardrail = document("guardrails/LimitInstanceTypesforNotebooks")
    user = persona(account, "ana", allow("sagemaker:CreateApp"), guardrail)
    check_instance_types(user.client("sagemaker"), EXPLICIT)


def test_a_default_type_that_is_not_listed_is_denied_too(account):
    strict = json.loads(json.dumps(document("guardrails/LimitInstanceTypesforNotebooks")).replace(', "system"', ""))
    user = persona(account, "ana", allow("sagemaker:CreateApp"), strict)
    denied(user.client("sagemaker"), "create_app", EXPLICIT, **app())


def test_instance_types_as_a_service_control_policy(server, account):
    """As the guide attaches it: to an organizational unit, over administrators too."""
    organizations = server.admin().client("organizations")
    root = organizations.list_roots()["Roots"][0]["Id"]
    organizations.enable_policy_type(RootId=root, PolicyType="SERVICE_CONTROL_POLICY")
    unit = organizations.create_organizational_unit(ParentId=root, Name="science")["OrganizationalUnit"]["Id"]
    guardrails = {}
    for name in ("LimitInstanceTypesforNotebooks", "LockDownStudioDomain"):
        content = json.dumps(document(f"guardrails/{name}"))
        made = organizations.create_policy(Name=name, Description="", Type="SERVICE_CONTROL_POLICY", Content=content)
        guardrails[name] = made["Policy"]["PolicySummary"]["Id"]
        organizations.attach_policy(PolicyId=guardrails[name], TargetId=unit)
    organizations.move_account(AccountId=account.id, SourceParentId=root, DestinationParentId=unit)
    user = persona(account, "ana", allow("*"))
    words = "with an explicit deny in a service control policy"
    check_instance_types(user.client("sagemaker"), words)
    denied(user.client("sagemaker"), "create_domain", words, **DOMAIN)
    organizations.move_account(AccountId=account.id, SourceParentId=unit, DestinationParentId=root)
    allowed(user.client("sagemaker"), "create_app", **app(InstanceType="ml.p4d.24xlarge"))


def test_studio_domains_in_the_vpc_only(account):
    user = persona(account, "ana", allow("sagemaker:CreateDomain"), document("guardrails/LockDownStudioDomain"))
    sagemaker = user.client("sagemaker")
    inside = {"SubnetIds": ["subnet-1"], "AppNetworkAccessType": "VpcOnly"}
    allowed(sagemaker, "create_domain", **DOMAIN, **inside)
    denied(sagemaker, "create_domain", EXPLICIT, **DOMAIN)
    denied(sagemaker, "create_domain", EXPLICIT, **DOMAIN, AppNetworkAccessType="PublicInternetOnly")
    # The guardrail ANDs its tests, so naming a subnet defeats it: AWS's behaviour, kept.
    allowed(sagemaker, "create_domain", **DOMAIN, SubnetIds=["subnet-1"], AppNetworkAccessType="PublicInternetOnly")


def test_no_unauthorized_images(account):
    banned = f"arn:aws:sagemaker:{REGION}:{account.id}:image/banned"
    user = persona(account, "ana", document("guardrails/LimitImages-unnamed", **{"{ImageName}": "banned"}))
    sagemaker = user.client("sagemaker")
    allowed(sagemaker, "create_app", **app(InstanceType="ml.t3.medium"))
    allowed(sagemaker, "create_app", **app(SageMakerImageArn=banned.replace("banned", "other")))
    denied(sagemaker, "create_app", none_allows("sagemaker:CreateApp"), **app(SageMakerImageArn=banned))


# ---- where from -------------------------------------------------------------------------------------------------------------

PROFILE = {"DomainId": "d-1", "UserProfileName": "ana"}
OFFICE = {"192.0.2.0/24": "127.0.0.0/8"}


def studio(client, opens):
    if opens:
        allowed(client, "create_presigned_domain_url", **PROFILE)
        allowed(client, "describe_user_profile", **PROFILE)
    else:
        denied(client, "create_presigned_domain_url", none_allows("sagemaker:CreatePresignedDomainUrl"), **PROFILE)
        denied(client, "describe_user_profile", none_allows("sagemaker:DescribeUserProfile"), **PROFILE)


def notebook(client, opens):
    names = {"NotebookInstanceName": "n"}
    if opens:
        allowed(client, "create_presigned_notebook_instance_url", **names)
        allowed(client, "describe_notebook_instance", **names)
    else:
        denied(client, "create_presigned_notebook_instance_url", **names)
        denied(client, "describe_notebook_instance", **names)


@pytest.mark.parametrize("name", ["EnableSageMakerStudioAccess-SourceIp", "sagemaker-studio-example-3"])
def test_studio_from_the_office_only(account, name):
    near = persona(account, "near", document(f"guardrails/{name}", **OFFICE))
    far = persona(account, "far", document(f"guardrails/{name}"))
    studio(near.client("sagemaker"), True)
    studio(far.client("sagemaker"), False)


def test_an_address_is_not_seen_through_an_endpoint(server, account):
    near = persona(account, "near", document("guardrails/sagemaker-studio-example-3", **OFFICE))
    studio(near.client("sagemaker", url=through(server, "vpce-111bbccc")), False)


@pytest.mark.parametrize("name, persona_of", [
    ("EnableSageMakerStudioAccessviaVPCEndpoint", studio),
    ("sagemaker-studio-example-1", studio),
    ("sagemaker-studio-example-2", studio),
    ("notebook-example-1-source-vpc", notebook),
    ("notebook-example-1-source-vpce", notebook),
])
def test_through_the_vpc_endpoint_only(server, account, name, persona_of):
    user = persona(account, "ana", document(f"guardrails/{name}"))
    persona_of(user.client("sagemaker", url=through(server, "vpce-111bbccc")), True)
    persona_of(user.client("sagemaker", url=through(server, "vpce-222bbddd")), False)
    persona_of(user.client("sagemaker"), False)


def test_addresses_inside_the_vpc(server, account):
    user = persona(account, "ana", document("guardrails/sagemaker-studio-example-4", **OFFICE))
    far = persona(account, "far", document("guardrails/sagemaker-studio-example-4"))
    inside = through(server, "vpce-111bbccc")
    studio(user.client("sagemaker", url=inside), True)
    studio(far.client("sagemaker", url=inside), False)
    studio(user.client("sagemaker", url=through(server, "vpce-222bbddd")), False)
    studio(user.client("sagemaker"), False)


def test_one_notebook_instance(account):
    here = {"us-east-1:111122223333": f"{REGION}:{account.id}"}
    user = persona(account, "ana", document("guardrails/notebook-presigned-url-single-instance", **here))
    sagemaker = user.client("sagemaker")
    allowed(sagemaker, "create_presigned_notebook_instance_url", NotebookInstanceName="myNotebookInstance")
    denied(sagemaker, "create_presigned_notebook_instance_url", NotebookInstanceName="another")


# ---- whose -------------------------------------------------------------------------------------------------------------------


def simulated(account, found, action, resource="*", **context):
    """`allowed`, `explicitDeny` or `implicitDeny`, as IAM's simulator says."""
    entries = []
    for name, value in context.items():
        values = value if isinstance(value, list) else [value]
        kind = "ipList" if name.lower().endswith("sourceip") else "string" + ("List" if isinstance(value, list) else "")
        entries.append({"ContextKeyName": name, "ContextKeyType": kind.replace("ipList", "ip"), "ContextKeyValues": values})
    answer = account.client("iam").simulate_custom_policy(
        PolicyInputList=[json.dumps(found)], ActionNames=[action], ResourceArns=[resource], ContextEntries=entries
    )
    return answer["EvaluationResults"][0]["EvalDecision"]


def test_only_the_own_user_profile(account):
    """Profiles cannot be made yet, so their tags come from the simulator; a profile without the tag is refused on the wire."""
    by_name = document("guardrails/AmazonSageMakerPresignedUrlPolicy-username")
    by_tag = document("guardrails/AmazonSageMakerPresignedUrlPolicy-principaltag")
    profile = account.arn("user-profile/d-1/ana")
    url = "sagemaker:CreatePresignedDomainUrl"
    ana, ben = {"sagemaker:ResourceTag/studiouserid": "ana"}, {"sagemaker:ResourceTag/studiouserid": "ben"}
    assert simulated(account, by_name, url, profile, **ana, **{"aws:username": "ana"}) == "allowed"
    assert simulated(account, by_name, url, profile, **ben, **{"aws:username": "ana"}) == "implicitDeny"
    assert simulated(account, by_name, url, profile, **ana) == "implicitDeny", "a role session has no user name"
    assert simulated(account, by_tag, url, profile, **ana, **{"aws:PrincipalTag/studiouserid": "ana"}) == "allowed"
    assert simulated(account, by_tag, url, profile, **ana, **{"aws:PrincipalTag/studiouserid": "ben"}) == "implicitDeny"
    for number, found in enumerate((by_name, by_tag)):
        user = persona(account, f"ana{number}", found)
        denied(user.client("sagemaker"), "create_presigned_domain_url", none_allows(url), **PROFILE)


def test_user_profiles_are_tagged(account):
    user = persona(account, "ana", document("guardrails/EnforceUserProfileTags"))
    sagemaker = user.client("sagemaker")
    allowed(sagemaker, "create_user_profile", **PROFILE, Tags=tags(studiouserid="ana", team="one"))
    denied(sagemaker, "create_user_profile", none_allows("sagemaker:CreateUserProfile"), **PROFILE, Tags=tags(team="one"))
    denied(sagemaker, "create_user_profile", none_allows("sagemaker:CreateUserProfile"), **PROFILE)


def test_jobs_are_tagged(account):
    user = persona(account, "ana", document("guardrails/EnforceTagsForJobs"))
    sagemaker = user.client("sagemaker")
    for operation, job in (("create_training_job", training), ("create_processing_job", processing)):
        allowed(sagemaker, operation, **job(Tags=tags(studiouserid="ana")))
        denied(sagemaker, operation, **job(Tags=tags(team="one")))
        denied(sagemaker, operation, **job())


# ---- encryption ------------------------------------------------------------------------------------------------------------------


def variant():
    return [{"VariantName": "a", "ModelName": "m", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}]


def test_endpoints_are_encrypted(account):
    user = persona(account, "ana", document("guardrails/Encryption-endpoint-config"))
    sagemaker = user.client("sagemaker")
    config = {"EndpointConfigName": "c", "ProductionVariants": variant()}
    for key in (KEY, KEY.rsplit("/", 1)[1], "alias/mine"):
        allowed(sagemaker, "create_endpoint_config", **config, KmsKeyId=key)
    denied(sagemaker, "create_endpoint_config", none_allows("sagemaker:CreateEndpointConfig"), **config)


def test_monitoring_is_encrypted(account):
    user = persona(account, "ana", document("guardrails/Encryption-monitoring-schedule"))
    sagemaker = user.client("sagemaker")
    for operation in ("create_monitoring_schedule", "update_monitoring_schedule"):
        allowed(sagemaker, operation, **schedule(volume=KEY, output=KEY))
        denied(sagemaker, operation, **schedule(volume=KEY))
        denied(sagemaker, operation, **schedule(output=KEY))
        denied(sagemaker, operation, **schedule())


def sharing(key=None):
    settings = {"NotebookOutputOption": "Allowed", "S3OutputPath": "s3://b/o"}
    if key:
        settings["S3KmsKeyId"] = key
    return {**DOMAIN, "DefaultUserSettings": {**DOMAIN["DefaultUserSettings"], "SharingSettings": settings}}


def test_domains_are_encrypted(account):
    storage, shared = document("guardrails/EncryptDomainStorage"), document("guardrails/EncryptDomainSharingS3Bucket")
    first = persona(account, "ana", storage).client("sagemaker")
    allowed(first, "create_domain", **DOMAIN, KmsKeyId=KEY)
    allowed(first, "create_domain", **DOMAIN, HomeEfsFileSystemKmsKeyId=KEY)
    denied(first, "create_domain", none_allows("sagemaker:CreateDomain"), **DOMAIN)
    second = persona(account, "ben", shared).client("sagemaker")
    allowed(second, "create_domain", **sharing(KEY))
    denied(second, "create_domain", **sharing())
    allowed(second, "update_domain", DomainId="d-1", DefaultUserSettings=sharing(KEY)["DefaultUserSettings"])
    denied(second, "update_domain", DomainId="d-1", DefaultUserSettings=sharing()["DefaultUserSettings"])
    # Attached together they OR: one key is enough, as AWS has it.
    both = persona(account, "cem", storage, shared).client("sagemaker")
    allowed(both, "create_domain", **sharing(KEY))
    allowed(both, "create_domain", **DOMAIN, KmsKeyId=KEY)
    denied(both, "create_domain", **DOMAIN)


def test_today_s_names_of_the_keys_work_as_well(account):
    newer = json.loads(json.dumps(document("guardrails/EncryptDomainStorage")).replace("VolumeKmsKey", "VolumeKmsKeyArn"))
    user = persona(account, "ana", newer).client("sagemaker")
    allowed(user, "create_domain", **DOMAIN, KmsKeyId=KEY)
    denied(user, "create_domain", **DOMAIN)


# ---- models and hubs ---------------------------------------------------------------------------------------------------------------


def test_no_direct_access_to_gated_models(account):
    guardrail = document("external/deny-direct-gated-model-training")
    rights = allow(["sagemaker:CreateTrainingJob", "sagemaker:TrainHubModel"])
    user = persona(account, "ana", rights, guardrail).client("sagemaker")

    def channel(**more):
        source = {"S3DataType": "S3Prefix", "S3Uri": "s3://jumpstart-private-cache-prod-us-west-2/m/", **more}
        return [{"ChannelName": "model", "DataSource": {"S3DataSource": source}}]

    consent = {"ModelAccessConfig": {"AcceptEula": True}}
    hub = {"HubAccessConfig": {"HubContentArn": f"arn:aws:sagemaker:{REGION}:{account.id}:hub-content/h/ModelReference/m/1.0.0"}}
    allowed(user, "create_training_job", **training(InputDataConfig=channel()))
    allowed(user, "create_training_job", **training(InputDataConfig=channel(**consent, **hub)))
    denied(user, "create_training_job", EXPLICIT, **training(InputDataConfig=channel(**consent)))


def test_the_public_hub_is_closed(account):
    here = {"us-east-1": REGION}
    user = persona(account, "ana", allow("*"), document("external/deny-public-hub", **here))
    admin = account.client("sagemaker")
    admin.create_hub(HubName="h", HubDescription="d")
    sagemaker = user.client("sagemaker")
    allowed(sagemaker, "describe_hub", HubName="h")
    denied(sagemaker, "describe_hub", EXPLICIT, HubName=PUBLIC_HUB)
    denied(sagemaker, "describe_hub_content", EXPLICIT, HubName=PUBLIC_HUB, HubContentType="Model", HubContentName=IRIS)
    uri = public_model(admin, IRIS)["document"]["HostingArtifactUri"]
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    with refused("AccessDenied", EXPLICIT):
        user.client("s3").list_objects_v2(Bucket=bucket, Prefix=key)


def test_roles_that_sagemaker_may_name_the_source_of(account):
    """The trust policy lets SageMaker assume the role and say who asked; nobody else."""
    iam = account.client("iam")
    found = document("trust/source-identity-trust-policy")
    arn = iam.create_role(RoleName="Exec", AssumeRolePolicyDocument=json.dumps(found))["Role"]["Arn"]
    iam.put_role_policy(RoleName="Exec", PolicyName="p", PolicyDocument=json.dumps(allow("*")))
    with refused("AccessDenied", "sts:AssumeRole"):
        account.new_user("ana", allow("*")).assume(arn)
    sagemaker = account.client("sagemaker")
    model = public_model(sagemaker, IRIS)["document"]
    source = {"S3Uri": model["HostingArtifactUri"], "S3DataType": "S3Prefix", "CompressionType": "None"}
    container = {"Image": model["HostingEcrUri"], "ModelDataSource": {"S3DataSource": source}}
    sagemaker.create_model(ModelName="m", ExecutionRoleArn=arn, PrimaryContainer=container)
    iam.update_assume_role_policy(RoleName="Exec", PolicyDocument=json.dumps({**trust(account.id), "Statement": trust(account.id)["Statement"][:1]}))
    with refused("ValidationException", "Could not assume role"):
        sagemaker.create_model(ModelName="m2", ExecutionRoleArn=arn, PrimaryContainer=container)


# ---- other services ------------------------------------------------------------------------------------------------------------------


def test_logs_of_jobs(account):
    user = persona(account, "ana", document("guardrails/cloudwatch-logs-job-permissions"))
    logs = user.client("logs")
    for operation, arguments in (("create_log_group", {"logGroupName": "g"}), ("describe_log_groups", {})):
        allowed(logs, operation, **arguments)
    denied(logs, "delete_log_group", none_allows("logs:DeleteLogGroup"), logGroupName="g")


def test_the_namespace_that_never_matches(account):
    """`aws/sagemaker/*` is no namespace of SageMaker's, whose names begin with a slash: AWS's guide, kept as it is."""
    found = document("guardrails/cloudwatch-metrics-sns-permissions")
    user = persona(account, "ana", found)
    denied(user.client("cloudwatch"), "describe_alarms", none_allows("cloudwatch:DescribeAlarms"))
    put = "cloudwatch:PutMetricData"
    assert simulated(account, found, put, **{"cloudwatch:namespace": "/aws/sagemaker/Endpoints"}) == "implicitDeny"
    assert simulated(account, found, put, **{"cloudwatch:namespace": "aws/sagemaker/x"}) == "allowed"
    assert simulated(account, found, "sns:CreateTopic", f"arn:aws:sns:{REGION}:{account.id}:MySageMakerTopic") == "allowed"
    assert simulated(account, found, "sns:CreateTopic", f"arn:aws:sns:{REGION}:{account.id}:other") == "implicitDeny"


@pytest.mark.parametrize("name", ["compilation", "hosting", "inference-recommender"])
def test_network_interfaces_of_jobs(account, name):
    found = document(f"guardrails/{name}-vpc-ec2-permissions")
    assert simulated(account, found, "ec2:CreateNetworkInterface") == "allowed"
    assert simulated(account, found, "ec2:RunInstances") == "implicitDeny"


def test_mlflow(account):
    """The API of a tracking server is none that Stoa speaks; its rights are IAM's all the same."""
    action = "sagemaker-mlflow:CreateRun"
    for name, inside, outside in (
        ("mlflow-example-1", {"aws:SourceVpce": "vpce-111bbaaa"}, {"aws:SourceVpce": "vpce-other"}),
        ("sagemaker-mlflow-example-2", {"aws:SourceVpce": "vpce-111bbccc"}, {"aws:SourceVpce": "vpce-other"}),
        ("sagemaker-mlflow-example-3", {"aws:SourceIp": "192.0.2.7"}, {"aws:SourceIp": "198.51.100.7"}),
        (
            "sagemaker-mlflow-example-4",
            {"aws:VpcSourceIp": "203.0.113.9", "aws:SourceVpc": VPC}, {"aws:VpcSourceIp": "203.0.113.9", "aws:SourceVpc": "vpc-other"},
        ),
    ):
        found = document(f"guardrails/{name}")
        assert simulated(account, found, action, **inside) == "allowed", name
        assert simulated(account, found, action, **outside) == "implicitDeny", name


# ---- policies of VPC endpoints ------------------------------------------------------------------------------------------------------------


def cut_off(server, name, service="sagemaker"):
    """A client of the account's administrator through an endpoint."""
    return server.owner.client(service, url=through(server, name))


def endpoint_allows_no(action):
    return f"because no VPC endpoint policy allows the {action} action"


def test_an_endpoint_for_one_notebook(server):
    inside = cut_off(server, "vpce-notebook")
    allowed(inside, "create_presigned_notebook_instance_url", NotebookInstanceName="myNotebookInstance")
    denied(inside, "create_presigned_notebook_instance_url", NotebookInstanceName="another")
    denied(inside, "list_hubs", endpoint_allows_no("sagemaker:ListHubs"))


def test_an_endpoint_for_one_model_endpoint(server):
    inside = cut_off(server, "vpce-invoke", "sagemaker-runtime")
    allowed(inside, "invoke_endpoint", EndpointName="myEndpoint", Body=b"x")
    denied(inside, "invoke_endpoint", endpoint_allows_no("sagemaker:InvokeEndpoint"), EndpointName="another", Body=b"x")


def test_an_endpoint_for_the_apps_of_one_domain(server):
    inside = cut_off(server, "vpce-apps")
    theirs = {**app(InstanceType="ml.t3.medium"), "DomainId": "domain-id"}
    allowed(inside, "create_app", **theirs)
    denied(inside, "create_app", endpoint_allows_no("sagemaker:CreateApp"), **app())
    denied(inside, "delete_app", DomainId="domain-id", AppType="KernelGateway", AppName="a", UserProfileName="ana")


def test_an_endpoint_for_the_urls_of_one_domain(server):
    inside = cut_off(server, "vpce-domain")
    allowed(inside, "create_presigned_domain_url", DomainId="domain-id", UserProfileName="ana")
    denied(inside, "create_presigned_domain_url", DomainId="d-1", UserProfileName="ana")


def test_an_endpoint_for_mlflow(server):
    denied(cut_off(server, "vpce-mlflow"), "list_hubs", endpoint_allows_no("sagemaker:ListHubs"))


@pytest.mark.parametrize("name, bucket", [
    ("vpce-linux", "packages.us-west-2.amazonaws.com"),
    ("vpce-linux", "repo.us-west-2.amazonaws.com"),
    ("vpce-linux2", "amazonlinux.us-west-2.amazonaws.com"),
])
def test_endpoints_closed_to_package_repositories(server, name, bucket):
    direct = server.owner.client("s3")
    for made in (bucket, "data-of-ours"):
        if made not in [one["Name"] for one in direct.list_buckets()["Buckets"]]:
            direct.create_bucket(Bucket=made, CreateBucketConfiguration={"LocationConstraint": REGION})
            direct.put_object(Bucket=made, Key="k", Body=b"x")
    inside = cut_off(server, name, "s3")
    assert inside.get_object(Bucket="data-of-ours", Key="k")["Body"].read() == b"x"
    with refused("AccessDenied", "with an explicit deny in a VPC endpoint policy"):
        inside.get_object(Bucket=bucket, Key="k")
    assert direct.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"


def test_endpoint_policies_that_only_deny(server):
    """As printed, the policy allows nothing, and nothing comes through: AWS's behaviour, with a warning at start-up."""
    with refused("AccessDenied", endpoint_allows_no("s3:ListAllMyBuckets")):
        cut_off(server, "vpce-only", "s3").list_buckets()


def test_a_bucket_for_one_endpoint(server, account):
    """Attached to the bucket, as the guide has it: its objects are read through the endpoint alone."""
    s3 = account.client("s3")
    bucket = f"inside-{account.id}"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    here = {"your-sample-bucket": bucket, "vpce-1a2b3c4d": "vpce-111bbccc"}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(document("endpoint/s3-deny-unless-source-vpce", **here)))
    reader = account.new_user("ana", allow("s3:*"))
    inside = reader.client("s3", url=through(server, "vpce-111bbccc"))
    assert inside.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
    words = "with an explicit deny in a resource-based policy"
    for elsewhere in (None, through(server, "vpce-222bbddd")):
        with refused("AccessDenied", words):
            reader.client("s3", url=elsewhere).get_object(Bucket=bucket, Key="k")


def test_every_policy_of_the_guides_was_met():
    """Runs last: a policy that no test attaches must say why."""
    folders = ("guardrails", "endpoint", "external", "trust")
    there = {str(path.relative_to(POLICIES).with_suffix("")) for folder in folders for path in (POLICIES / folder).glob("*.json")}
    assert len(there) == 41
    assert there - USED == set(ELSEWHERE)
