"""The form in the system's Chromium: two origins, as on AWS."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.contract.test_pipeline import LAMBDAS, function, pipeline, queue, zipped  # noqa: F401  fixtures

SITE = Path(__file__).parents[2] / "site"
KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
CORS = {
    "Access-Control-Allow-Origin": "'*'",
    "Access-Control-Allow-Headers": "'Content-Type'",
    "Access-Control-Allow-Methods": "'POST,OPTIONS'",
}


def add_preflight(client, api_id):
    gateway = client("apigateway")
    resource = next(r for r in gateway.get_resources(restApiId=api_id)["items"] if r["path"] == "/visits")
    options = {"restApiId": api_id, "resourceId": resource["id"], "httpMethod": "OPTIONS"}
    headers = {f"method.response.header.{name}": value for name, value in CORS.items()}
    gateway.put_method(**options, authorizationType="NONE")
    gateway.put_integration(**options, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'})
    gateway.put_method_response(**options, statusCode="200", responseParameters=dict.fromkeys(headers, True))
    gateway.put_integration_response(**options, statusCode="200", responseParameters=headers)
    gateway.create_deployment(restApiId=api_id, stageName="prod")
    return options


@pytest.fixture
def form(client, unique, pipeline, browser, cloud):  # noqa: F811
    """The published form, opened; returns the page, the console's errors, the lake and the preflight method."""
    url, in_lake, _ = pipeline
    options = add_preflight(client, url.split("/")[5])
    bucket, s3 = unique("site"), client("s3")
    s3.create_bucket(Bucket=bucket)
    s3.delete_public_access_block(Bucket=bucket)
    policy = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [policy]}))
    s3.put_bucket_website(Bucket=bucket, WebsiteConfiguration={"IndexDocument": {"Suffix": "index.html"}})
    for path in SITE.iterdir():
        body = f"export const apiUrl = {json.dumps(url)};".encode() if path.name == "config.js" else path.read_bytes()
        s3.put_object(Bucket=bucket, Key=path.name, Body=body, ContentType=f"{KINDS[path.suffix]}; charset=utf-8")
    page, errors = browser.new_page(), []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.goto(f"http://localhost:{urlsplit(cloud['endpoint']).port}/_aws/s3-website/{bucket}/")
    yield page, errors, in_lake, options
    page.close()


def fill_and_send(page, price="89.90"):
    for field, value in {
        "ProductId": "P-1",
        "ProductName": "Trail Shoe",
        "PricePerUnit": price,
        "CustomerId": "C-1",
        "CustomerName": "Ada",
    }.items():
        page.fill(f"#{field}", value)
    page.select_option("#Category", "Shoes")
    page.click("button")


def test_a_visit_sent_with_the_form_is_in_the_lake(form, eventually):
    """What a person does first: fill in, send, read the receipt; and the console stays clean."""
    page, errors, in_lake, _ = form

    fill_and_send(page)

    expect(page.locator("#answer")).to_contain_text("The visit is accepted", timeout=15_000)
    receipt = page.locator("#answer code").inner_text()
    _, stored = eventually(lambda: in_lake().get(receipt))
    assert (stored["ProductName"], stored["PricePerUnit"], errors) == ("Trail Shoe", "89.90", [])


def test_an_empty_field_is_marked_beside_the_field_and_nothing_is_sent(form):
    """Client-side validation, readable for everybody."""
    page, errors, in_lake, _ = form

    page.click("button")

    expect(page.locator("#answer")).to_have_text("Please correct the marked fields.")
    expect(page.locator("#ProductId-error")).to_have_text("Please fill in this field.")
    assert (page.locator("#ProductId").get_attribute("aria-invalid"), in_lake(), errors) == ("true", {}, [])


@pytest.mark.parametrize(
    ("status", "body", "sentence"),
    [
        (
            400,
            {"message": "ProductId must be a text.", "field": "ProductId"},
            "The visit was refused: ProductId must be a text.",
        ),
        (403, {"message": "Forbidden"}, "The API does not let this page in"),
        (429, {"message": "Too Many Requests"}, "Too many visits at once"),
        (502, {"message": "Internal server error"}, "because of an error behind the API"),
    ],
)
def test_each_failure_has_a_sentence_that_says_what_to_do(form, status, body, sentence):
    """The answers that API Gateway gives, each with the header that lets the page read it."""
    page, _, _, _ = form
    headers = {"Access-Control-Allow-Origin": "*", "Content-Type": "application/json"}
    page.route("**/prod/visits", lambda route: route.fulfill(status=status, headers=headers, body=json.dumps(body)))

    fill_and_send(page)

    expect(page.locator("#answer")).to_contain_text(sentence)


def test_without_the_preflight_method_the_form_says_that_it_cannot_reach_the_api(form, client):
    """The browser enforces CORS here as on AWS, since page and API are two origins."""
    page, errors, in_lake, options = form
    client("apigateway").delete_method(**options)
    client("apigateway").create_deployment(restApiId=options["restApiId"], stageName="prod")

    fill_and_send(page)

    expect(page.locator("#answer")).to_contain_text(
        "does not allow this page to read its answer (CORS)", timeout=15_000
    )
    assert (in_lake(), any("CORS policy" in error for error in errors)) == ({}, True)


def test_without_the_cors_header_of_the_function_the_form_cannot_read_the_answer(form, client, eventually):
    """The visit went through all the same: the sentence must not say that it was lost."""
    page, errors, in_lake, options = form
    integration = client("apigateway").get_integration(**{**options, "httpMethod": "POST"})
    function_arn = integration["uri"].split("/functions/")[1].removesuffix("/invocations")
    source = (LAMBDAS / "ProductVisitSendDataToQueue" / "lambda_function.py").read_text()
    without = source.replace(', "Access-Control-Allow-Origin": "*"', "")
    assert without != source
    client("lambda").update_function_code(FunctionName=function_arn, ZipFile=zipped(without))
    client("lambda").get_waiter("function_updated_v2").wait(FunctionName=function_arn, WaiterConfig={"Delay": 0.05})

    fill_and_send(page)

    expect(page.locator("#answer")).to_contain_text(
        "does not allow this page to read its answer (CORS)", timeout=15_000
    )
    assert eventually(in_lake)
    assert any("CORS policy" in error for error in errors)
