"""Layers: shared zips that stand for /opt.

Texts and shapes are those that LocalStack recorded from AWS (TestLambdaLayer in test_lambda_api.snapshot.json); where a
layer's files are looked for says the Lambda Developer Guide, "Packaging your layer content".
"""

from __future__ import annotations

import io
import zipfile

import pytest

from tests.contract.test_lambda import call
from tests.contract.test_versions import refusal

USES = "import shared\ndef lambda_handler(event, context):\n    return shared.VALUE\n"


def layer_zip(**files):
    """``layer_zip(python__shared_py="VALUE = 1")``: a zip with ``python/shared.py``."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/").replace("_py", ".py"), content)
    return buffer.getvalue()


@pytest.fixture
def layer(client, unique):
    """``layer(name=None, **files)`` publishes a layer's version; returns its ARN."""

    def publish(name=None, **files):
        content = {"ZipFile": layer_zip(**files)}
        return client("lambda").publish_layer_version(LayerName=name or unique("Layer"), Content=content)[
            "LayerVersionArn"
        ]

    return publish


def test_a_function_imports_what_its_layer_holds_from_both_folders(client, function, layer):
    """`python/` and `python/lib/python3.x/site-packages` of the function's own runtime; an executable too."""
    source = (
        "import shared, installed, subprocess\n"
        "def lambda_handler(event, context):\n    return [shared.VALUE, installed.VALUE]\n"
    )
    arn = layer(python__shared_py="VALUE = 1", **{"python__lib__python3.11__site-packages__installed_py": "VALUE = 2"})

    function_arn = function(source, Layers=[arn])
    configuration = client("lambda").get_function_configuration(FunctionName=function_arn)

    assert call(client, function_arn)["Payload"] == [1, 2]
    [shown] = configuration["Layers"]
    assert (shown["Arn"], shown["CodeSize"] > 0) == (arn, True)


def test_a_later_layer_overwrites_an_earlier_one_and_the_function_wins_over_both(client, function, layer):
    """Layers are laid over one another in the order in which they are named."""
    one, two = layer(python__shared_py="VALUE = 1"), layer(python__shared_py="VALUE = 2")
    arn = function(USES, Layers=[one, two])
    first = call(client, arn)["Payload"]

    client("lambda").update_function_configuration(FunctionName=arn, Layers=[two, one])
    client("lambda").get_waiter("function_updated_v2").wait(FunctionName=arn, WaiterConfig={"Delay": 0.05})
    second = call(client, arn)["Payload"]
    client("lambda").update_function_configuration(FunctionName=arn, Layers=[])
    client("lambda").get_waiter("function_updated_v2").wait(FunctionName=arn, WaiterConfig={"Delay": 0.05})

    assert (first, second) == (2, 1)
    assert call(client, arn)["Payload"]["errorType"] == "Runtime.ImportModuleError"
    assert "Layers" not in client("lambda").get_function_configuration(FunctionName=arn)


def test_a_version_of_a_layer_is_published_looked_up_listed_and_deleted(client, unique):
    """Numbers are never used twice, the newest comes first."""
    functions, name = client("lambda"), unique("Layer")
    options = {"LayerName": name, "Content": {"ZipFile": layer_zip(python__a_py="")}, "LicenseInfo": "MIT"}

    first = functions.publish_layer_version(**options, Description="d", CompatibleRuntimes=["python3.13"])
    second = functions.publish_layer_version(**options, CompatibleArchitectures=["arm64"])
    looked_up = functions.get_layer_version(LayerName=name, VersionNumber=1)
    by_arn = functions.get_layer_version_by_arn(Arn=first["LayerVersionArn"])
    listed = functions.list_layer_versions(LayerName=name)["LayerVersions"]
    fitting = functions.list_layer_versions(LayerName=name, CompatibleRuntime="python3.13")["LayerVersions"]
    [newest] = [one for one in functions.list_layers()["Layers"] if one["LayerName"] == name]
    functions.delete_layer_version(LayerName=name, VersionNumber=2)
    functions.delete_layer_version(LayerName=name, VersionNumber=2)
    third = functions.publish_layer_version(**options)

    layer_arn = first["LayerArn"]
    assert {
        k: first[k] for k in ("LayerVersionArn", "Version", "Description", "LicenseInfo", "CompatibleRuntimes")
    } == {
        "LayerVersionArn": f"{layer_arn}:1",
        "Version": 1,
        "Description": "d",
        "LicenseInfo": "MIT",
        "CompatibleRuntimes": ["python3.13"],
    }
    for answer in (looked_up, by_arn):
        assert {k: answer[k] for k in ("LayerVersionArn", "Version", "CreatedDate")} == {
            k: first[k] for k in ("LayerVersionArn", "Version", "CreatedDate")
        }
        assert answer["Content"]["CodeSha256"] == first["Content"]["CodeSha256"]
    assert [one["Version"] for one in listed] == [2, 1]
    assert [one["Version"] for one in fitting] == [1]
    assert newest["LatestMatchingVersion"]["LayerVersionArn"] == second["LayerVersionArn"]
    assert third["Version"] == 3
    assert refusal(functions.get_layer_version, LayerName=name, VersionNumber=2) == (
        "ResourceNotFoundException",
        "The resource you requested does not exist.",
    )
    assert refusal(functions.get_layer_version, LayerName=name, VersionNumber=0) == (
        "InvalidParameterValueException",
        "Layer Version Cannot be less than 1",
    )


def test_a_deleted_version_stays_with_the_functions_that_have_it(client, function, layer):
    """No other function can take it any more."""
    functions, arn = client("lambda"), layer(python__shared_py="VALUE = 7")
    has_it = function(USES, Layers=[arn])
    functions.delete_layer_version(LayerName=arn.rpartition(":")[0], VersionNumber=1)
    functions.update_function_configuration(FunctionName=has_it, Timeout=5)
    functions.get_waiter("function_updated_v2").wait(FunctionName=has_it, WaiterConfig={"Delay": 0.05})

    late = refusal(functions.update_function_configuration, FunctionName=function(USES), Layers=[arn])

    assert call(client, has_it)["Payload"] == 7
    assert late == ("InvalidParameterValueException", f"Layer version {arn} does not exist.")


def test_layers_that_a_function_cannot_have_are_refused(client, function, layer, unique):
    """Too many, two versions of one, none at all, another region's; the function stays as it was."""
    functions, arn, name = client("lambda"), function(USES), unique("Layer")
    one, two = layer(name, python__shared_py="VALUE = 1"), layer(name, python__shared_py="VALUE = 2")

    def refused(*arns):
        return refusal(functions.update_function_configuration, FunctionName=arn, Layers=list(arns))[1]

    assert refused(one, two) == (
        "Two different versions of the same layer are not allowed to be referenced in the same function. "
        f"{one} and {two} are versions of the same layer."
    )
    assert refused(*[one] * 6) == "Cannot reference more than 5 layers."
    assert refused(f"{one[:-2]}:9") == f"Layer version {one[:-2]}:9 does not exist."
    assert refused(one.replace("us-east-1", "eu-west-1")) == (
        "Layers are not in the same region as the function. Layers are expected to be in region us-east-1."
    )
    assert "at 'layers' failed to satisfy constraint" in refused(one.rpartition(":")[0])
    assert "Layers" not in functions.get_function_configuration(FunctionName=arn)


def test_code_and_layers_together_are_250_mb_at_most(client, function, layer):
    """Each alone would pass; a zip of zeros is small until it is unpacked."""
    functions, arn = client("lambda"), function(USES)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("python/large.bin", bytes(131_072_000))
    half = [
        functions.publish_layer_version(LayerName=name, Content={"ZipFile": buffer.getvalue()})["LayerVersionArn"]
        for name in ("half-one", "half-two")
    ]

    refused = refusal(functions.update_function_configuration, FunctionName=arn, Layers=half)

    size = 262_144_000 + len(USES)
    assert refused == (
        "InvalidParameterValueException",
        "Function code combined with layers exceeds the maximum allowed size of 262144000 bytes. "
        f"The actual size is {size} bytes.",
    )


def test_the_content_of_a_layer_can_be_fetched(client, unique):
    """GetLayerVersion says where, for ten minutes."""
    import urllib.request

    content = layer_zip(python__a_py="A = 1")
    published = client("lambda").publish_layer_version(LayerName=unique("Layer"), Content={"ZipFile": content})

    with urllib.request.urlopen(published["Content"]["Location"], timeout=10) as answer:
        assert answer.read() == content
