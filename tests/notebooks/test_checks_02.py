"""Notebook 02's checks: the policy is tried by a stranger, the website by its address."""

from __future__ import annotations

import boto3
import pytest
from botocore.exceptions import ClientError

import labkit

POLICY = """
pictures_policy = {{"Version": "2012-10-17", "Statement": [{{
    "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{{pictures}}/*"}}]}}
{change}
"""
STATEMENT = 'pictures_policy["Statement"][0]'
SITE = """
reading = {{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{{pictures}}/*"}}
s3.put_bucket_policy(Bucket=pictures, Policy=json.dumps({{"Version": "2012-10-17", "Statement": [reading]}}))
HTML = {{"ContentType": "text/html"}}
s3.put_object(Bucket=pictures, Key={page!r}, Body=b"<h1>page</h1>"{html})
s3.put_object(Bucket=pictures, Key="oops.html", Body=b"<h1>oops</h1>", **HTML)
website = {{"IndexDocument": {{"Suffix": "index.html"}}, "ErrorDocument": {{"Key": {error!r}}}}}
s3.put_bucket_website(Bucket=pictures, WebsiteConfiguration=website)
site_keys = {{"page": "about.html", "error page": "oops.html"}}
{change}
"""


def policy(change=""):
    return POLICY.format(change=change)


def site(change="", page="about.html", html=", **HTML", error="oops.html"):
    return SITE.format(change=change, page=page, html=html, error=error)


@pytest.fixture(scope="module")
def opened(course):
    """The notebook, run up to its last exercise."""
    course.run("02.2")
    return course


@pytest.fixture(autouse=True)
def fresh(opened):
    """Each answer meets the bucket of the pictures as the notebook makes it."""
    s3, bucket = boto3.client("s3"), labkit.name("visits-pictures", bucket=True)
    for item in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
        if item["Key"] != "shoe.svg":
            s3.delete_object(Bucket=bucket, Key=item["Key"])
    s3.delete_bucket_policy(Bucket=bucket)
    s3.delete_bucket_website(Bucket=bucket)
    return bucket


@pytest.mark.parametrize("exercise", ["02.1", "02.2"])
def test_the_stub_counts_as_not_attempted(opened, exercise):
    """A learner who runs all cells is not told off."""
    assert opened.answer(exercise, opened.stub(exercise)).outcome == "not attempted"


@pytest.mark.parametrize("exercise", ["02.1", "02.2"])
def test_the_solution_is_correct(opened, exercise):
    """Solutions do not drift from their checks."""
    verdict = opened.answer(exercise, opened.solution(exercise))

    assert verdict.outcome == "correct", verdict


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        ("02.1", policy(f'{STATEMENT}["Principal"] = {{"AWS": "*"}}')),
        ("02.1", policy(f'{STATEMENT}["Action"] = ["s3:getobject"]')),
        ("02.1", policy("pictures_policy = json.dumps(pictures_policy)")),
        ("02.1", policy(f'pictures_policy["Statement"] = {STATEMENT} | {{"Sid": "Readers"}}')),
        ("02.2", site("site_keys = {'page': 'about', 'error page': 'oops.html'}", page="about")),
    ],
)
def test_another_right_answer_is_correct(opened, exercise, answer):
    """What counts is what a stranger can do."""
    verdict = opened.answer(exercise, answer)

    assert verdict.outcome == "correct", verdict


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (f'{STATEMENT}["Resource"] = f"arn:aws:s3:::{{pictures}}"', "your Resource is the bucket itself"),
        (f'{STATEMENT}["Action"] = "s3:*"', "but can also write objects"),
        (f'{STATEMENT}.update(Action="s3:*", Resource=[f"arn:aws:s3:::{{pictures}}", f"arn:aws:s3:::{{pictures}}/*"])',
         "but can also list the bucket, write objects"),
        (f'{STATEMENT}["Action"] = ["s3:GetObject", "s3:ListBucket"]', "listing is done to the bucket"),
        (f'{STATEMENT}["Action"] = "s3:GetObject*"', "its tags"),
        (f'del {STATEMENT}["Principal"]', "must say who"),
        (f'{STATEMENT}["Principal"] = {{"AWS": lab["account"]}}', "a stranger still gets 403: Principal is"),
        (f'{STATEMENT}["Principal"] = "everybody"', "a stranger is the star"),
        (f'{STATEMENT}["Resource"] = f"arn:aws:s3:::{{bucket}}/*"', "in this bucket and no other"),
        (f'{STATEMENT}["Resource"] = "*"', "in this bucket and no other"),
        (f'{STATEMENT}["Resource"] = "arn:aws:s3:::visits-*/*"', "opens that one too"),
        (f'{STATEMENT}["Resource"] = f"arn:aws:s3:::{{pictures}}/shoe.svg"', "Resource should end in /*"),
        (f'{STATEMENT}["Condition"] = {{"Bool": {{"aws:SecureTransport": "true"}}}}', "Condition does not hold"),
        (f'{STATEMENT}["Action"] = "s3:ReadObject"', "S3 refuses it: Policy has invalid action"),
        ('pictures_policy = "anyone may read"', "no JSON"),
        ("pictures_policy = [pictures_policy]", "should be a dict"),
        ("s3.put_public_access_block(Bucket=pictures, PublicAccessBlockConfiguration=all_on)", "first lock is closed"),
    ],
)  # fmt: skip
def test_a_wrong_policy_is_told_by_what_a_stranger_can_do(opened, fresh, change, message):
    """Each wrong answer gets its own sentence, and the bucket is afterwards as it was."""
    verdict = opened.answer("02.1", policy(change))
    boto3.client("s3").delete_public_access_block(Bucket=fresh)

    assert (verdict.outcome, message in verdict.message) == ("not yet", True), verdict
    with pytest.raises(ClientError, match="NoSuchBucketPolicy"):
        boto3.client("s3").get_bucket_policy(Bucket=fresh)
    assert [item["Key"] for item in boto3.client("s3").list_objects_v2(Bucket=fresh)["Contents"]] == ["shoe.svg"]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (site(html=""), "so a browser downloads it"),
        (site(page="/about.html"), "with a slash in front"),
        (site(page="other.html"), "there is no object with the key about.html"),
        (site("site_keys['page'] = '/about.html'"), "begins with a slash"),
        (site("site_keys['error page'] = labkit.website_url(pictures) + 'oops.html'"), "not an address"),
        (site(error="http://localhost/oops.html"), "it is a key in this bucket, not an address"),
        (site(error="another.html"), "your answer says 'oops.html'"),
        (site("s3.delete_object(Bucket=pictures, Key='oops.html')"), "no error page to show"),
        (site("s3.delete_bucket_policy(Bucket=pictures)"), "the policy that lets anyone read is missing"),
        (site("s3.delete_bucket_website(Bucket=pictures)"), "put_bucket_website is missing"),
        (site("s3.put_bucket_website(Bucket=pictures, WebsiteConfiguration={'IndexDocument': {'Suffix': 'i'}})"),
         "names no ErrorDocument"),
        (site("s3.put_object(Bucket=pictures, Key='oops.html', Body=b'oops')"), "give oops.html its ContentType too"),
        ("site_keys = 'about.html'", "a dict with two keys"),
    ],
)  # fmt: skip
def test_a_website_that_does_not_work_is_told_why(opened, answer, message):
    """The check opens it as a browser does, and looks for the reason afterwards."""
    verdict = opened.answer("02.2", answer)

    assert (verdict.outcome, message in verdict.message) == ("not yet", True), verdict


def test_without_its_bucket_the_check_says_which_cell_to_run(opened):
    """A learner comes back the next day, and begins with an empty local cloud."""
    elsewhere = labkit.connect(lab_id="t-elsewhere")
    try:
        verdicts = [
            opened.check("02.1", {"Version": "2012-10-17"}),
            opened.check("02.2", {"page": "a", "error page": "b"}),
        ]
    finally:
        labkit.connect(lab_id=opened.lab["lab_id"])

    assert elsewhere["lab_id"] == "t-elsewhere"
    assert all("run the cell under Exercise" in verdict.message for verdict in verdicts)


@pytest.mark.parametrize(
    ("option", "outcome"), [("a", "not yet"), ("b", "correct"), ("c", "not yet"), ("d", "not yet")]
)
def test_every_option_of_the_prediction_gets_its_reply(opened, option, outcome):
    """A wrong guess is answered too."""
    assert opened.check("02.predict", option).outcome == outcome
