"""GetFunction says where the deployed code can be fetched: what runs, and not what one believes to have deployed."""

from __future__ import annotations

import io
import urllib.error
import urllib.request
import zipfile

import pytest

FIRST = "def lambda_handler(event, context):\n    return 1\n"
SECOND = "def lambda_handler(event, context):\n    return 2\n"


def deployed(client, arn):
    """Fetch the package as anybody who has the address can: without a signature."""
    location = client("lambda").get_function(FunctionName=arn)["Code"]["Location"]
    with urllib.request.urlopen(location, timeout=10) as answer:
        return zipfile.ZipFile(io.BytesIO(answer.read())).read("lambda_function.py").decode()


def test_the_deployed_code_can_be_fetched_and_follows_a_change(client, function):
    """The address holds for ten minutes, for whoever got it."""
    arn = function(FIRST)
    assert deployed(client, arn) == FIRST

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        package.writestr("lambda_function.py", SECOND)
    client("lambda").update_function_code(FunctionName=arn, ZipFile=buffer.getvalue())

    assert deployed(client, arn) == SECOND


def test_the_address_of_one_function_opens_no_other(client, function):
    """Nobody can make up an address: it is signed."""
    one, other = function(FIRST), function(SECOND)
    location = client("lambda").get_function(FunctionName=one)["Code"]["Location"]

    for forged in (location.replace(one.rpartition(":")[2], other.rpartition(":")[2]), location.partition("?")[0]):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(forged, timeout=10)
        assert refused.value.code == 403
        refused.value.close()
