"""awswrangler and pandas write and read the lake as on AWS: plain JSON Lines, partitioned datasets, Parquet.

awswrangler is one of the course's own dependencies, so it runs here and not in ``.venv-tools``.
"""

from __future__ import annotations

import awswrangler
import boto3
import pandas as pd
import pytest


@pytest.fixture
def wrangler(cloud, monkeypatch):
    """The library as a kernel of the course has it: everything by the environment."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", cloud["endpoint"])
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", cloud["access_key"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", cloud["secret_key"])
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    return awswrangler


@pytest.fixture
def lake(client, unique):
    name = unique("wrangled")
    client("s3").create_bucket(Bucket=name)
    return f"s3://{name}"


def visits():
    return pd.DataFrame({"ProductId": ["a", "b", "c"], "PricePerUnit": [1.5, 2.5, 3.5], "day": ["14", "15", "15"]})


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_partitioned_dataset_of_parquet(wrangler, lake):
    """A filter on the partition reads one folder; an overwritten partition is replaced and the other stays."""
    path = f"{lake}/parquet/"
    written = wrangler.s3.to_parquet(visits(), path=path, dataset=True, partition_cols=["day"])

    assert sorted(written["partitions_values"].values()) == [["14"], ["15"]]
    read = wrangler.s3.read_parquet(path, dataset=True, partition_filter=lambda values: values["day"] == "15")
    assert list(read["ProductId"]) == ["b", "c"]
    wrangler.s3.to_parquet(
        visits().tail(1), path=path, dataset=True, partition_cols=["day"], mode="overwrite_partitions"
    )
    assert sorted(wrangler.s3.read_parquet(path, dataset=True)["ProductId"]) == ["a", "c"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_json_lines_and_csv_are_listed_read_and_deleted(wrangler, lake):
    """What notebook 08 does, and what people try beside it."""
    for hour in ("09", "10"):
        wrangler.s3.to_json(visits(), f"{lake}/visits/hour={hour}/first.json", orient="records", lines=True)
    wrangler.s3.to_csv(visits(), f"{lake}/visits.csv", index=False)

    listed = wrangler.s3.list_objects(f"{lake}/visits/")
    assert listed == [f"{lake}/visits/hour={hour}/first.json" for hour in ("09", "10")]
    assert len(wrangler.s3.read_json(listed, lines=True)) == 6
    assert wrangler.s3.read_csv(f"{lake}/visits.csv")["PricePerUnit"].sum() == 7.5
    assert wrangler.s3.does_object_exist(f"{lake}/visits.csv")
    assert wrangler.s3.size_objects(f"{lake}/visits.csv")[f"{lake}/visits.csv"] > 20
    wrangler.s3.delete_objects(f"{lake}/")
    assert wrangler.s3.list_objects(f"{lake}/") == []
