"""Zips that somebody made to harm: each is refused in AWS's words, nothing is written beside its folder.

The texts are those that LocalStack recorded from AWS (TestLambdaFunction::test_create_lambda_exceptions and
TestLambdaSizeLimits in test_lambda_api.snapshot.json); limits: AWS docs, "Lambda quotas".
"""

from __future__ import annotations

import asyncio
import io
import os
import struct
import sys
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labkit.local.api_call import AwsError, HttpResponse
from labkit.local.lambda_runtime.packages import LARGEST_UNZIPPED, NOT_A_ZIP, package_of, unpack, unpack_all
from tests.contract.test_pipeline import zipped
from tests.contract.test_versions import refusal

LINK = 0o120777 << 16


def zip_of(*members, compression=zipfile.ZIP_DEFLATED):
    """``zip_of(("name", b"content"), ("link", b"aim", LINK))``."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression, compresslevel=1) as archive:
        for name, content, *attributes in members:
            member = zipfile.ZipInfo(name)
            member.external_attr = attributes[0] if attributes else 0o644 << 16
            archive.writestr(member, content, compression)
    return buffer.getvalue()


def lying_about_its_size(content, declared):
    """A zip whose directory declares another unzipped size than its member has."""
    package = bytearray(zip_of(("bomb", content)))
    central = package.index(b"PK\x01\x02")
    struct.pack_into("<I", package, central + 24, declared)
    struct.pack_into("<I", package, 22, declared)
    return bytes(package)


def refused(package, folder):
    """Unpack, and return the message of the error; nothing but the folder itself may be left."""
    with pytest.raises(AwsError) as error:
        unpack(package, folder)
    assert error.value.code == "InvalidParameterValueException"
    assert sorted(folder.iterdir()) == []
    return error.value.message


@pytest.mark.parametrize(
    "name", ["../evil.py", "a/../../evil.py", "/etc/evil.py", "..\\evil.py", "C:\\evil.py", "C:evil.py", "..", "a/.."]
)
def test_a_member_outside_of_the_folder_is_refused(tmp_path, name):
    """Whatever separator it uses."""
    message = refused(zip_of(("lambda_function.py", b""), (name, b"x")), tmp_path / "functions")

    assert message.startswith("The zip has a member outside of its own folder")
    assert not (tmp_path / "evil.py").exists()


def test_a_bomb_is_refused_by_what_its_directory_says(tmp_path):
    """Nothing of it is unpacked."""
    bomb = lying_about_its_size(bytes(1000), LARGEST_UNZIPPED + 1)

    assert refused(bomb, tmp_path / "functions") == f"Unzipped size must be smaller than {LARGEST_UNZIPPED} bytes"


def test_a_bomb_that_lies_about_its_size_ends_where_its_lie_ends(tmp_path):
    """Declared as 10 bytes, 50 MB long: no more than declared is read, and then its checksum is wrong."""
    bomb = lying_about_its_size(bytes(50_000_000), 10)

    assert refused(bomb, tmp_path / "functions") == NOT_A_ZIP


@pytest.mark.parametrize(
    "package",
    [
        b"",
        b"no zip at all",
        zipped("x = 1")[:-10],
        zipped("x = 1")[:40] + b"\xff" * 20 + zipped("x = 1")[60:],
        b"PK\x05\x06" + bytes(18),
        zip_of(("a", b"file"), ("a/b", b"below a file")),
        zip_of(("x" * 300, b"")),
        lying_about_its_size(b"short", 0x7FFFFFF),
    ],
    ids=["empty", "text", "cut", "overwritten", "no-members", "file-and-folder", "long-name", "too-short"],
)
def test_a_damaged_zip_is_one_that_could_not_be_unzipped(tmp_path, package):
    """Also one whose directory is whole and whose members are not."""
    if package == b"PK\x05\x06" + bytes(18):
        assert list(unpack(package, tmp_path).iterdir()) == []  # an empty zip is a zip
    else:
        assert refused(package, tmp_path / "functions") == NOT_A_ZIP


@pytest.mark.skipif(sys.platform == "win32", reason="Windows makes symbolic links for administrators only")
def test_a_link_inside_is_kept_and_one_that_leads_out_is_refused(tmp_path):
    """node_modules/.bin is full of harmless ones."""
    folder = tmp_path / "functions"
    good = unpack(zip_of(("real/x.py", b"x"), ("link.py", b"real/x.py", LINK)), folder)
    assert (good / "link.py").is_symlink()
    assert (good / "link.py").read_bytes() == b"x"

    elsewhere = tmp_path / "elsewhere"
    for members in (
        [("out", b"/etc", LINK)],
        [("out", b"../../elsewhere", LINK)],
        [("l1", b"d/l2/../../x", LINK), ("d/l2", b"..", LINK)],
        [("d/l2", b"..", LINK), ("l1", b"d/l2/../../elsewhere", LINK)],
    ):
        assert "leads out" in refused(zip_of(("y", b""), *members), elsewhere)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows makes symbolic links for administrators only")
def test_nothing_is_written_through_a_link(tmp_path):
    """The member behind the link comes first in the zip or last: the link does not lead out, or there is none."""
    (tmp_path / "victim").mkdir()
    for members in (
        [("l", b"../../victim", LINK), ("l/evil.py", b"x")],
        [("l/evil.py", b"x"), ("l", b"../../victim", LINK)],
    ):
        with pytest.raises(AwsError):
            unpack(zip_of(*members), tmp_path / "functions")
    with pytest.raises(AwsError):
        unpack_all(
            [zip_of(("l", b"../../victim", LINK)), zip_of(("l/evil.py", b"x"))],
            tmp_path / "functions",
        )
    assert list((tmp_path / "victim").iterdir()) == []


def test_names_that_are_one_on_this_computer_are_told(tmp_path):
    """On Linux they are two, as on AWS."""
    package = zip_of(("A.py", b"1"), ("a.py", b"2"))
    probe = tmp_path / "Probe"
    probe.touch()

    if (tmp_path / "probe").exists():
        assert "two members whose names are the same" in refused(package, tmp_path / "functions")
    else:
        root = unpack(package, tmp_path / "functions")
        assert ((root / "A.py").read_bytes(), (root / "a.py").read_bytes()) == (b"1", b"2")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permission")
def test_an_executable_stays_one(tmp_path):
    """A layer's bin/ would be of no use else."""
    root = unpack(zip_of(("bin/tool", b"#!/bin/sh\n", 0o755 << 16), ("x.py", b"")), tmp_path)

    assert [os.access(root / name, os.X_OK) for name in ("bin/tool", "x.py")] == [True, False]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    damage=st.lists(st.tuples(st.integers(0, 400), st.binary(min_size=1, max_size=6)), max_size=4),
    cut=st.integers(0, 60),
)
def test_whatever_is_damaged_is_unpacked_or_refused(tmp_path, damage, cut):
    """No exception of Python's own comes out, and no file beside the folder."""
    package = bytearray(zip_of(("lambda_function.py", b"x = 1\n" * 30), ("d/y.py", b"y"), ("l", b"d/y.py", LINK)))
    for position, content in damage:
        package[position : position + len(content)] = content

    folder = tmp_path / "functions"
    try:
        root = unpack(bytes(package[: len(package) - cut]), folder)
    except AwsError as error:
        code = error.code
    else:
        code = root.parent.name
    assert code in ("InvalidParameterValueException", "functions")
    assert {path.name for path in tmp_path.iterdir()} <= {"functions"}


def test_a_bad_zip_reaches_the_learner_in_awss_words(client, function, unique):
    """At create, at update and for a layer."""
    functions, arn = client("lambda"), function("def lambda_handler(event, context):\n    return 1\n")
    role = functions.get_function_configuration(FunctionName=arn)["Role"]
    create = {
        "FunctionName": unique("Function"), "Runtime": "python3.13", "Role": role, "Handler": "a.b",
    }  # fmt: skip

    for answer in (
        refusal(functions.create_function, **create, Code={"ZipFile": b"no zip"}),
        refusal(functions.update_function_code, FunctionName=arn, ZipFile=b"no zip"),
        refusal(functions.publish_layer_version, LayerName="l", Content={"ZipFile": b"no zip"}),
    ):
        assert answer == ("InvalidParameterValueException", NOT_A_ZIP)


def test_a_zip_of_more_than_50_mb_comes_by_s3_only():
    """AWS docs, "Lambda quotas": 50 MB when it is uploaded directly."""

    async def get_object(bucket, key):
        return HttpResponse(200, b"x" * 60_000_000)

    with pytest.raises(AwsError) as directly:
        asyncio.run(package_of({"ZipFile": bytes(52_428_801)}, get_object))
    by_s3 = asyncio.run(package_of({"S3Bucket": "b", "S3Key": "k"}, get_object))

    assert (directly.value.code, directly.value.message, directly.value.status) == (
        "RequestEntityTooLargeException",
        "Zipped size must be smaller than 52428800 bytes",
        413,
    )
    assert len(by_s3) == 60_000_000
