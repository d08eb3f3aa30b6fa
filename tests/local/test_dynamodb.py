"""Where the local table differs from DynamoDB; ``docs/local-cloud.md`` says so, and notebook 06."""

from __future__ import annotations


def test_a_number_keeps_the_zeros_at_its_end(client, unique):
    """DynamoDB trims them: 44.90 comes back as 44.9. So whoever compares prices compares numbers, not texts."""
    table = unique("Prices")
    client("dynamodb").create_table(
        TableName=table, BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "Id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "Id", "AttributeType": "S"}],
    )  # fmt: skip

    client("dynamodb").put_item(TableName=table, Item={"Id": {"S": "1"}, "PricePerUnit": {"N": "44.90"}})
    item = client("dynamodb").get_item(TableName=table, Key={"Id": {"S": "1"}})["Item"]

    assert item["PricePerUnit"] == {"N": "44.90"}
