"""The AWS CLI works with the keys of ``labkit env`` and nothing else: the commands that people copy from a tutorial.

Source: AWS CLI Command Reference.
"""

from __future__ import annotations

import io
import json
import zipfile

import pytest

from tests.contract.test_pipeline import TRUST
from tests.plain_http import http

pytestmark = pytest.mark.timeout(600)  # the first test of a tool makes .venv-tools

# Each command line is run as `aws …` would; in one process, as most of a command's time is its start.
DRIVER = """
import contextlib, io, json, sys
from awscli.clidriver import create_clidriver

answers, driver = [], create_clidriver()
for arguments in json.load(sys.stdin):
    out, err = io.TextIOWrapper(io.BytesIO()), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = driver.main(arguments)
        out.flush()
    answers.append([code, out.buffer.getvalue().decode(), err.getvalue()])
print(json.dumps(answers))
"""


@pytest.fixture
def aws(run_tool, tmp_path):
    """``aws("s3 ls", ["s3", "ls", "s3://my bucket"])``: the standard outputs of commands, which must all succeed."""
    (tmp_path / "driver.py").write_text(DRIVER)

    def aws(*commands, codes=None):
        lines = [command.split() if isinstance(command, str) else command for command in commands]
        answers = json.loads(run_tool("driver.py", input=json.dumps(lines)).stdout)
        for line, (code, out, error), expected in zip(lines, answers, codes or [0] * len(lines), strict=True):
            assert code == expected, f"aws {' '.join(line)}:\n{out}{error}"
        return [out + error for _, out, error in answers]

    return aws


def test_the_command_itself(run_tool):
    """Without a profile or a file; the exports alone."""
    answer = run_tool("-m", "awscli", "sts", "get-caller-identity", "--query", "Arn", "--output", "text")

    assert answer.stdout.strip() == "arn:aws:iam::123456789012:user/lab-administrator"


def test_s3(aws, cloud, client, tmp_path, unique):
    """cp, sync, ls, presign, website, rb: a site is published and taken away again."""
    bucket, site = unique("cli"), tmp_path / "site"
    site.mkdir()
    (site / "index.html").write_text("<p>hello</p>")
    (site / "large.bin").write_bytes(b"0123456789" * 1_000_000)  # more than one part

    *_, listed, again, url = aws(
        f"s3 mb s3://{bucket}",
        f"s3 sync site s3://{bucket}/site",
        f"s3 cp s3://{bucket}/site/large.bin copy.bin",
        f"s3 cp s3://{bucket}/site/index.html s3://{bucket}/index.html --metadata a=b",
        f"s3 website s3://{bucket} --index-document index.html",
        f"s3 ls --recursive --summarize s3://{bucket}",
        f"s3 sync site s3://{bucket}/site",
        f"s3 presign s3://{bucket}/site/index.html --expires-in 60",
    )

    assert (tmp_path / "copy.bin").read_bytes() == (site / "large.bin").read_bytes()
    assert [line.split()[-1] for line in listed.splitlines()[:3]] == ["index.html", "site/index.html", "site/large.bin"]
    assert "Total Objects: 3" in listed
    assert "upload" not in again
    assert http("GET", url.strip()).body == b"<p>hello</p>"
    website = client("s3").get_bucket_website(Bucket=bucket)
    assert website["IndexDocument"] == {"Suffix": "index.html"}
    _, gone = aws(f"s3 rb s3://{bucket} --force", f"s3api head-bucket --bucket {bucket}", codes=[0, 255])
    assert "404" in gone


def test_a_message_an_item_and_a_function(aws, client, cloud, tmp_path, unique):
    """sqs, dynamodb, lambda invoke and the log, as the documentation of each begins."""
    name, here = (
        unique("cli"),
        f"--endpoint-url {cloud['endpoint']}",
    )  # version 1 takes the environment's for all but sqs
    role = client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    logs = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as zipped:
        zipped.writestr("f.py", "def handler(event, context):\n    print('seen', event)\n    return event['n'] + 1\n")
    (tmp_path / "f.zip").write_bytes(package.getvalue())

    made, *_ = aws(
        f"sqs create-queue --queue-name {name} --query QueueUrl --output text {here}",
        f"iam attach-role-policy --role-name {name} --policy-arn {logs}",
        f"lambda create-function --function-name {name} --role {role} --runtime python3.13 --handler f.handler "
        "--zip-file fileb://f.zip",
        f"lambda wait function-active-v2 --function-name {name}",
        f"dynamodb create-table --table-name {name} --attribute-definitions AttributeName=k,AttributeType=S "
        "--key-schema AttributeName=k,KeyType=HASH --billing-mode PAY_PER_REQUEST",
        f"dynamodb wait table-exists --table-name {name}",
    )
    queue = made.strip()
    _, received, _, got, _, tail = aws(
        f"sqs send-message --queue-url {queue} --message-body hello {here}",
        f"sqs receive-message --queue-url {queue} {here}",
        ["dynamodb", "put-item", "--table-name", name, "--item", '{"k": {"S": "a"}, "n": {"N": "1"}}'],
        ["dynamodb", "get-item", "--table-name", name, "--key", '{"k": {"S": "a"}}', "--query", "Item.n.N"],
        ["lambda", "invoke", "--function-name", name, "--payload", '{"n": 1}', "answer.json"],
        f"logs filter-log-events --log-group-name /aws/lambda/{name} --query events[].message --output text",
    )

    assert json.loads(received)["Messages"][0]["Body"] == "hello"
    assert json.loads(got) == "1"
    assert (tmp_path / "answer.json").read_text() == "2"
    assert "seen {'n': 1}" in tail
    aws(f"dynamodb delete-table --table-name {name}", f"lambda delete-function --function-name {name}",
        f"sqs delete-queue --queue-url {queue} {here}")  # fmt: skip


def test_the_clis_own_words_for_an_error(aws):
    """A refusal arrives as the CLI prints it for AWS."""
    [refused] = aws("lambda get-function --function-name not-there", codes=[255])

    expected = (
        "An error occurred (ResourceNotFoundException) when calling the GetFunction operation: Function not found"
    )
    assert refused.strip().startswith(expected)
