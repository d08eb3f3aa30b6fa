"""s3fs, and pandas through it, read and write the lake with the keys of ``labkit env`` and nothing else."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.timeout(600)  # the first test of a tool makes .venv-tools

SCRIPT = """
import json, sys
import pandas as pd, s3fs

bucket = sys.argv[1]
s3 = s3fs.S3FileSystem()
s3.mkdir(bucket)
for hour in ("09", "10"):
    pd.DataFrame({"ProductId": ["p-" + hour], "PricePerUnit": ["1.50"]}).to_json(
        f"s3://{bucket}/visits/hour={hour}/first.json", orient="records", lines=True
    )
with s3.open(f"{bucket}/large.bin", "wb") as file:
    file.write(b"0123456789" * 1_200_000)
with s3.open(f"{bucket}/large.bin", "rb") as file:
    file.seek(6_000_003)
    middle = file.read(4).decode()
visits = pd.concat(
    pd.read_json(f"s3://{path}", lines=True, dtype=False) for path in s3.glob(f"{bucket}/visits/*/*.json")
)
found = {
    "listed": s3.ls(f"{bucket}/visits"),
    "visits": visits.to_dict("records"),
    "size": s3.info(f"{bucket}/large.bin")["size"],
    "middle": middle,
}
s3.cp(f"{bucket}/large.bin", f"{bucket}/copy.bin")
s3.rm(f"{bucket}/large.bin")
s3.invalidate_cache()
found["top"] = sorted(s3.ls(bucket))
s3.rm(bucket, recursive=True)
found["gone"] = not s3.exists(bucket)
print(json.dumps(found))
"""


def test_s3fs_and_pandas_read_what_they_wrote(run_tool, tmp_path, unique):
    """Files, a multipart upload, a range, folders, glob, copy, removal: as on AWS, with no word of the local cloud."""
    bucket = unique("lake")
    (tmp_path / "script.py").write_text(SCRIPT)

    found = json.loads(run_tool("script.py", bucket).stdout)

    assert found == {
        "listed": [f"{bucket}/visits/hour=09", f"{bucket}/visits/hour=10"],
        "visits": [{"ProductId": f"p-{hour}", "PricePerUnit": "1.50"} for hour in ("09", "10")],
        "size": 12_000_000,
        "middle": "3456",
        "top": [f"{bucket}/copy.bin", f"{bucket}/visits"],
        "gone": True,
    }
