"""Models, endpoint configurations, endpoints, invocations and tags by boto3, with real containers behind them."""

import io
import json
import tarfile

import pytest
from botocore.exceptions import ClientError

from support import (
    DIGITS,
    GATED,
    IRIS,
    IRIS_ROW,
    SAMPLES,
    TINY,
    create_endpoint,
    deploy_public,
    endpoint_gone,
    endpoint_status,
    invoke_json,
    iris_label,
    public_model,
    refused,
)


@pytest.fixture(scope="module")
def shared(server):
    """One account, role and iris endpoint that the tests of invocation share: they only read."""
    account = server.new_account("shared")
    role = account.new_role()
    sm = deploy_public(account, role, "iris")
    described = endpoint_status(sm, "iris")
    assert described["EndpointStatus"] == "InService", described.get("FailureReason")
    return account


@pytest.fixture
def runtime(shared):
    return shared.client("sagemaker-runtime")


@pytest.fixture
def sm(account):
    return account.client("sagemaker")


@pytest.fixture
def role(account):
    return account.new_role()


def image(sm):
    return public_model(sm, IRIS)["document"]["HostingEcrUri"]


def targz(files):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def sample_files(model, version="1.0.0"):
    folder = SAMPLES / model / version / "artifact"
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def own_archive(account, name, content):
    s3 = account.client("s3")
    bucket = f"own-{account.id}"
    if bucket not in [one["Name"] for one in s3.list_buckets()["Buckets"]]:
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    s3.put_object(Bucket=bucket, Key=f"{name}/model.tar.gz", Body=content)
    return f"s3://{bucket}/{name}/model.tar.gz"


# ---- invocations --------------------------------------------------------------------------------------------------


def test_json(runtime):
    answer = runtime.invoke_endpoint(
        EndpointName="iris", ContentType="application/json", Body=json.dumps({"instances": [IRIS_ROW]})
    )
    assert answer["ContentType"] == "application/json"
    assert answer["InvokedProductionVariant"] == "AllTraffic"
    prediction = json.loads(answer["Body"].read())["predictions"][0]
    assert prediction["label"] == "setosa"
    assert abs(sum(prediction["probabilities"].values() if isinstance(prediction["probabilities"], dict)
                   else prediction["probabilities"]) - 1) < 1e-3


def test_csv(runtime):
    answer = runtime.invoke_endpoint(EndpointName="iris", ContentType="text/csv", Body=b"5.1,3.5,1.4,0.2\n6.7,3.1,5.6,2.4\n")
    labels = [one["label"] for one in json.loads(answer["Body"].read())["predictions"]]
    assert labels == ["setosa", "virginica"]


def test_npy(runtime):
    import numpy

    body = io.BytesIO()
    numpy.save(body, numpy.array([[5.1, 3.5, 1.4, 0.2], [5.9, 2.8, 4.3, 1.3]], dtype=numpy.float32))
    answer = runtime.invoke_endpoint(EndpointName="iris", ContentType="application/x-npy", Body=body.getvalue())
    assert [one["label"] for one in json.loads(answer["Body"].read())["predictions"]] == ["setosa", "versicolor"]


def test_accept_csv_and_npy(runtime):
    import numpy

    body = json.dumps({"instances": [IRIS_ROW]})
    csv = runtime.invoke_endpoint(EndpointName="iris", ContentType="application/json", Accept="text/csv", Body=body)
    assert csv["ContentType"].startswith("text/csv")
    assert "setosa" in csv["Body"].read().decode()
    npy = runtime.invoke_endpoint(
        EndpointName="iris", ContentType="application/json", Accept="application/x-npy", Body=body
    )
    table = numpy.load(io.BytesIO(npy["Body"].read()))
    assert table.shape == (1, 3)
    assert table[0].argmax() == 0


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b"{not json"),
        ("application/json", b'{"instances": [{"sepal_length": 1}]}'),
        ("text/csv", b"1,2,3"),
        ("application/x-npy", b"\x93NUMPY\x01\x00garbage"),
        ("application/x-image", b"nothing it reads"),
    ],
)
def test_a_bad_payload_is_a_model_error(runtime, kind, body):
    with refused("ModelError", "client error (4", status=424) as error:
        runtime.invoke_endpoint(EndpointName="iris", ContentType=kind, Body=body)
    assert 400 <= error.error["OriginalStatusCode"] < 500
    assert error.error["OriginalMessage"]
    # The container is still there.
    assert iris_label(runtime, "iris") == "setosa"


def test_no_such_endpoint_and_no_such_variant(runtime):
    with refused("ValidationError", "nobody", "not found", status=400):
        runtime.invoke_endpoint(EndpointName="nobody", Body=b"{}")
    with refused("ValidationError", "Blue"):
        runtime.invoke_endpoint(EndpointName="iris", TargetVariant="Blue", Body=b"{}")
    answer = runtime.invoke_endpoint(
        EndpointName="iris", TargetVariant="AllTraffic", ContentType="text/csv", Body=b"5.1,3.5,1.4,0.2"
    )
    assert answer["InvokedProductionVariant"] == "AllTraffic"


def test_one_megabyte_of_rows(runtime):
    rows = b"5.1,3.5,1.4,0.2\n" * 60_000
    answer = runtime.invoke_endpoint(EndpointName="iris", ContentType="text/csv", Body=rows)
    predictions = json.loads(answer["Body"].read())["predictions"]
    assert len(predictions) == 60_000
    assert predictions[-1]["label"] == "setosa"


def test_a_generator_that_is_greedy_is_deterministic(account, role):
    sm = deploy_public(account, role, "tiny", TINY)
    described = endpoint_status(sm, "tiny")
    assert described["EndpointStatus"] == "InService", described.get("FailureReason")
    runtime = account.client("sagemaker-runtime")
    body = {"inputs": "Mira the miller lived", "parameters": {"max_new_tokens": 24}}
    answers = [invoke_json(runtime, "tiny", body)[0]["generated_text"] for _ in range(2)]
    assert answers[0] == answers[1]
    assert len(answers[0].split()) > 3
    seeded = {"inputs": "One evening,", "parameters": {"max_new_tokens": 24, "do_sample": True, "seed": 7}}
    assert invoke_json(runtime, "tiny", seeded) == invoke_json(runtime, "tiny", seeded)
    with refused("ModelError", "max_newtokens"):
        invoke_json(runtime, "tiny", {"inputs": "x", "parameters": {"max_newtokens": 3}})
    sm.delete_endpoint(EndpointName="tiny")
    endpoint_gone(sm, "tiny")
    with refused("ValidationError"):
        invoke_json(runtime, "tiny", body)


# ---- models -------------------------------------------------------------------------------------------------------


def test_a_model_from_birth_to_death(sm, account, role):
    container = {"Image": image(sm), "Environment": {"EMPTY": "", "ONE": "1"}}
    made = sm.create_model(
        ModelName="m", ExecutionRoleArn=role, PrimaryContainer=container, Tags=[{"Key": "a", "Value": "b"}]
    )
    arn = account.arn("model/m")
    assert made["ModelArn"] == arn
    described = sm.describe_model(ModelName="m")
    assert described["ModelArn"] == arn
    assert described["ExecutionRoleArn"] == role
    assert described["PrimaryContainer"]["Environment"] == {"EMPTY": "", "ONE": "1"}
    assert described["EnableNetworkIsolation"] is False
    with refused("ValidationException", "Cannot create already existing model", arn):
        sm.create_model(ModelName="m", ExecutionRoleArn=role, PrimaryContainer=container)
    sm.delete_model(ModelName="m")
    for call in (sm.describe_model, sm.delete_model):
        with refused("ValidationException", "Could not find model", arn):
            call(ModelName="m")
    sm.create_model(ModelName="m", ExecutionRoleArn=role, PrimaryContainer=container)
    assert sm.list_tags(ResourceArn=arn)["Tags"] == [], "the tags of the earlier model died with it"


def test_models_that_cannot_be(sm, account, role):
    def make(container, **more):
        sm.create_model(ModelName="bad", ExecutionRoleArn=role, PrimaryContainer=container, **more)

    with refused("ValidationException", "image"):
        make({"Image": "example.com/nobody/knows:1"})
    with refused("ValidationException", "Could not access model data"):
        make({"Image": image(sm), "ModelDataUrl": f"s3://no-such-bucket-{account.id}/model.tar.gz"})
    own_archive(account, "there", b"")
    with refused("ValidationException", "Could not access model data"):
        make({"Image": image(sm), "ModelDataUrl": f"s3://own-{account.id}/nothing.tar.gz"})
    with refused("ValidationException"):
        make({"Image": image(sm), "ModelDataUrl": "http://example.com/model.tar.gz"})
    with refused("ValidationException", "Stoa"):
        make({"Image": image(sm)}, VpcConfig={"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]})
    assert sm.list_models()["Models"] == []


def test_gated_data_needs_consent_however_it_is_named(sm, account, role):
    document = public_model(sm, GATED)["document"]
    uri = document["HostingArtifactUri"]
    source = {"S3Uri": uri, "S3DataType": "S3Prefix", "CompressionType": "None"}
    for more in ({}, {"ModelAccessConfig": {"AcceptEula": False}}):
        container = {"Image": document["HostingEcrUri"], "ModelDataSource": {"S3DataSource": {**source, **more}}}
        with refused("ValidationException", "EULA"):
            sm.create_model(ModelName="g", ExecutionRoleArn=role, PrimaryContainer=container)
    with refused("ValidationException", "EULA"):
        sm.create_model(
            ModelName="g", ExecutionRoleArn=role,
            PrimaryContainer={"Image": document["HostingEcrUri"], "ModelDataUrl": uri},
        )
    accepted = {**source, "ModelAccessConfig": {"AcceptEula": True}}
    sm.create_model(
        ModelName="g", ExecutionRoleArn=role,
        PrimaryContainer={"Image": document["HostingEcrUri"], "ModelDataSource": {"S3DataSource": accepted}},
    )


# ---- lists --------------------------------------------------------------------------------------------------------


def walk(call, key, name, **more):
    pages, token = [], None
    while True:
        page = call(**more, **({"NextToken": token} if token else {}))
        pages.append([one[name] for one in page[key]])
        token = page.get("NextToken")
        if token is None:
            return pages


def test_lists_page_filter_and_sort(sm, role):
    names = [f"n-{letter}" for letter in "bdace"]
    for name in names:
        sm.create_model(ModelName=name, ExecutionRoleArn=role, PrimaryContainer={"Image": image(sm)})
        variant = {"VariantName": "v", "ModelName": name, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
        sm.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    for call, key, field in (
        (sm.list_models, "Models", "ModelName"),
        (sm.list_endpoint_configs, "EndpointConfigs", "EndpointConfigName"),
    ):
        pages = walk(call, key, field, SortBy="Name", SortOrder="Ascending", MaxResults=2)
        assert pages == [["n-a", "n-b"], ["n-c", "n-d"], ["n-e"]]
        assert walk(call, key, field, SortBy="Name", SortOrder="Descending") == [sorted(names, reverse=True)]
        assert walk(call, key, field, SortBy="CreationTime", SortOrder="Ascending") == [names]
        assert walk(call, key, field, NameContains="-c") == [["n-c"]]
        assert walk(call, key, field, CreationTimeAfter="2999-01-01T00:00:00Z") == [[]]
        assert sorted(sum(walk(call, key, field, CreationTimeBefore="2999-01-01T00:00:00Z"), [])) == sorted(names)
    assert sm.get_paginator("list_models").paginate(PaginationConfig={"PageSize": 2}).build_full_result()["Models"]


def test_list_endpoints_by_status(sm, account, role):
    deploy_public(account, role, "one")
    deploy_public(account, role, "two")
    for name in ("one", "two"):
        assert endpoint_status(sm, name)["EndpointStatus"] == "InService"
    listed = sm.list_endpoints(StatusEquals="InService", SortBy="Name", SortOrder="Ascending")["Endpoints"]
    assert [one["EndpointName"] for one in listed] == ["one", "two"]
    assert sm.list_endpoints(StatusEquals="Failed")["Endpoints"] == []
    assert [one["EndpointName"] for one in sm.list_endpoints(NameContains="tw")["Endpoints"]] == ["two"]
    first = sm.list_endpoints(MaxResults=1, SortBy="Name", SortOrder="Ascending")
    second = sm.list_endpoints(MaxResults=1, SortBy="Name", SortOrder="Ascending", NextToken=first["NextToken"])
    assert [first["Endpoints"][0]["EndpointName"], second["Endpoints"][0]["EndpointName"]] == ["one", "two"]


# ---- endpoints ----------------------------------------------------------------------------------------------------


def test_an_endpoint_from_birth_to_death(sm, account, role):
    deploy_public(account, role, "e")
    first = sm.describe_endpoint(EndpointName="e")
    assert first["EndpointStatus"] in ("Creating", "InService")
    described = endpoint_status(sm, "e")
    assert described["EndpointStatus"] == "InService", described.get("FailureReason")
    assert described["EndpointArn"] == account.arn("endpoint/e")
    assert described["EndpointConfigName"] == "e"
    assert described["ProductionVariants"][0]["CurrentInstanceCount"] == 1
    with refused("ValidationException", "already existing"):
        sm.create_endpoint(EndpointName="e", EndpointConfigName="e")
    # Model and configuration go first, as the SDK does it; the endpoint still serves.
    sm.delete_model(ModelName="e")
    sm.delete_endpoint_config(EndpointConfigName="e")
    assert iris_label(account.client("sagemaker-runtime"), "e") == "setosa"
    sm.delete_endpoint(EndpointName="e")
    endpoint_gone(sm, "e")
    for call in (sm.describe_endpoint, sm.delete_endpoint):
        with refused("ValidationException", "Could not find endpoint"):
            call(EndpointName="e")


def test_configurations_and_endpoints_that_cannot_be(sm, account, role):
    def configure(**change):
        variant = {"VariantName": "v", "ModelName": "m", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
        sm.create_endpoint_config(EndpointConfigName="c", ProductionVariants=[{**variant, **change}])

    with refused("ValidationException", "Could not find model"):
        configure()
    sm.create_model(ModelName="m", ExecutionRoleArn=role, PrimaryContainer={"Image": image(sm)})
    with refused("ValidationException", "ml.nobody.large"):
        configure(InstanceType="ml.nobody.large")
    with refused("ValidationException", "Stoa"):
        configure(ServerlessConfig={"MemorySizeInMB": 1024, "MaxConcurrency": 1})
    configure()
    with refused("ValidationException", "already existing"):
        configure()
    described = sm.describe_endpoint_config(EndpointConfigName="c")
    assert described["ProductionVariants"][0]["ModelName"] == "m"
    for call in (sm.create_endpoint, sm.update_endpoint):
        with refused("ValidationException", "Could not find"):
            call(EndpointName="x", EndpointConfigName="nobody")
    sm.delete_endpoint_config(EndpointConfigName="c")
    for call in (sm.describe_endpoint_config, sm.delete_endpoint_config):
        with refused("ValidationException", "Could not find"):
            call(EndpointConfigName="c")


def test_update_endpoint_swaps_the_model(sm, account, role):
    deploy_public(account, role, "u")
    assert endpoint_status(sm, "u")["EndpointStatus"] == "InService"
    runtime = account.client("sagemaker-runtime")
    document = public_model(sm, DIGITS)["document"]
    source = {"S3Uri": document["HostingArtifactUri"], "S3DataType": "S3Prefix", "CompressionType": "None"}
    container = {"Image": document["HostingEcrUri"], "ModelDataSource": {"S3DataSource": source}}
    sm.create_model(ModelName="digits", ExecutionRoleArn=role, PrimaryContainer=container)
    variant = {"VariantName": "Two", "ModelName": "digits", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    sm.create_endpoint_config(EndpointConfigName="digits", ProductionVariants=[variant])
    sm.update_endpoint(EndpointName="u", EndpointConfigName="digits")
    # While the next one comes up, the old one or already the new one answers; never nobody.
    seen = set()
    while True:
        status = sm.describe_endpoint(EndpointName="u")
        try:
            seen.add(runtime.invoke_endpoint(EndpointName="u", ContentType="text/csv", Body=b"5.1,3.5,1.4,0.2")["InvokedProductionVariant"])
        except ClientError as error:
            assert error.response["Error"]["Code"] == "ModelError", error
            seen.add("Two")
        if status["EndpointStatus"] != "Updating":
            break
    assert status["EndpointStatus"] == "InService", status.get("FailureReason")
    assert status["EndpointConfigName"] == "digits"
    example = json.loads((SAMPLES / DIGITS / "1.0.0" / "manifest.json").read_text())["example_payloads"]["seven_and_zero"]
    predictions = invoke_json(runtime, "u", example["body"])["predictions"]
    assert [one["label"] for one in predictions] == ["7", "0"]
    assert seen <= {"AllTraffic", "Two"}


def test_two_variants_share_the_traffic(sm, account, role):
    deploy_public(account, role, "base")
    assert endpoint_status(sm, "base")["EndpointStatus"] == "InService"
    variants = [
        {"VariantName": name, "ModelName": "base", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large", "InitialVariantWeight": weight}
        for name, weight in (("Heavy", 3.0), ("Light", 1.0))
    ]
    sm.create_endpoint_config(EndpointConfigName="both", ProductionVariants=variants)
    sm.create_endpoint(EndpointName="both", EndpointConfigName="both")
    described = endpoint_status(sm, "both")
    assert described["EndpointStatus"] == "InService", described.get("FailureReason")
    runtime = account.client("sagemaker-runtime")
    hits = {"Heavy": 0, "Light": 0}
    for _ in range(40):
        answer = runtime.invoke_endpoint(EndpointName="both", ContentType="text/csv", Body=b"5.1,3.5,1.4,0.2")
        hits[answer["InvokedProductionVariant"]] += 1
    assert 20 <= hits["Heavy"] <= 38, hits
    assert hits["Light"] >= 2, hits


def test_garbage_in_the_archive_fails_the_endpoint_with_a_reason(sm, account, role):
    uri = own_archive(account, "garbage", targz({"model.onnx": b"this is no ONNX file", "config.json": b"{}"}))
    sm.create_model(ModelName="bad", ExecutionRoleArn=role, PrimaryContainer={"Image": image(sm), "ModelDataUrl": uri})
    create_endpoint(sm, "bad")
    described = endpoint_status(sm, "bad")
    assert described["EndpointStatus"] == "Failed"
    assert "model.onnx" in described["FailureReason"]
    with refused("ValidationError", "Failed"):
        account.client("sagemaker-runtime").invoke_endpoint(EndpointName="bad", Body=b"{}")
    sm.delete_endpoint(EndpointName="bad")
    endpoint_gone(sm, "bad")


def test_no_archive_at_all_fails_the_endpoint_with_a_reason(sm, account, role):
    uri = own_archive(account, "text", b"this is no archive")
    sm.create_model(ModelName="bad", ExecutionRoleArn=role, PrimaryContainer={"Image": image(sm), "ModelDataUrl": uri})
    create_endpoint(sm, "bad")
    described = endpoint_status(sm, "bad")
    assert described["EndpointStatus"] == "Failed"
    assert "model.tar.gz" in described["FailureReason"]


def test_an_own_archive_in_an_own_bucket_serves(sm, account, role):
    uri = own_archive(account, "good", targz(sample_files(IRIS)))
    sm.create_model(
        ModelName="own", ExecutionRoleArn=role, EnableNetworkIsolation=True,
        PrimaryContainer={"Image": image(sm), "ModelDataUrl": uri},
    )
    create_endpoint(sm, "own")
    described = endpoint_status(sm, "own")
    assert described["EndpointStatus"] == "InService", described.get("FailureReason")
    assert sm.describe_model(ModelName="own")["EnableNetworkIsolation"] is True
    runtime = account.client("sagemaker-runtime")
    assert iris_label(runtime, "own") == "setosa"
    # The object may go: the endpoint has its own hold on the bytes.
    account.client("s3").delete_object(Bucket=f"own-{account.id}", Key="good/model.tar.gz")
    assert iris_label(runtime, "own") == "setosa"


def test_a_bare_graph_is_served_as_tensors(sm, account, role):
    uri = own_archive(account, "bare", targz({"model.onnx": sample_files(IRIS)["model.onnx"]}))
    sm.create_model(ModelName="bare", ExecutionRoleArn=role, PrimaryContainer={"Image": image(sm), "ModelDataUrl": uri})
    create_endpoint(sm, "bare")
    described = endpoint_status(sm, "bare")
    assert described["EndpointStatus"] == "InService", described.get("FailureReason")
    import numpy

    body = io.BytesIO()
    numpy.save(body, numpy.array([[5.1, 3.5, 1.4, 0.2]], dtype=numpy.float32))
    answer = account.client("sagemaker-runtime").invoke_endpoint(
        EndpointName="bare", ContentType="application/x-npy", Accept="application/json", Body=body.getvalue()
    )
    assert answer["Body"].read()


# ---- tags ---------------------------------------------------------------------------------------------------------


def test_tags(sm, account, role):
    sm.create_model(ModelName="m", ExecutionRoleArn=role, PrimaryContainer={"Image": image(sm)})
    arn = account.arn("model/m")
    sm.add_tags(ResourceArn=arn, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    sm.add_tags(ResourceArn=arn, Tags=[{"Key": "b", "Value": "3"}])
    assert sm.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "3"}]
    sm.delete_tags(ResourceArn=arn, TagKeys=["a", "never-there"])
    assert sm.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "b", "Value": "3"}]
    with refused("ValidationException"):
        sm.add_tags(ResourceArn=account.arn("model/nobody"), Tags=[{"Key": "a", "Value": "1"}])
    with refused("ValidationException"):
        sm.add_tags(ResourceArn=arn, Tags=[{"Key": "aws:mine", "Value": "1"}])
    with refused("ValidationException"):
        sm.add_tags(ResourceArn=arn, Tags=[{"Key": f"k{number}", "Value": ""} for number in range(50)])
