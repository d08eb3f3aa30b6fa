"""Write who answers which operation into ``docs/local-cloud.md``: ``python -m tests.docs.coverage_table``.

The operations are those of botocore's service models; the verdict is asked of the code that decides about a call.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

import botocore
from botocore.session import get_session

from labkit.local.api_call import ApiCall, AwsError, Caller, Headers, HttpRequest, HttpResponse
from labkit.local.front_door.gateway import Gateway
from tests.conftest import REPOSITORY
from tests.in_process import settings_for_tests

PAGE = REPOSITORY / "docs" / "local-cloud.md"
BEGIN, END = "<!-- coverage: written by python -m tests.docs.coverage_table -->", "<!-- end of coverage -->"
COLUMNS = {"ours": "ours", "moto": "moto's", "refused": "refused"}


async def refuses_whatever_it_is_asked(gateway: Gateway, service: str, operation: str) -> bool:
    """Whether our answer to an operation is a refusal before any parameter is looked at."""

    async def forward(call: ApiCall) -> HttpResponse:
        return HttpResponse(200, b"{}")

    gateway._forward = forward
    administrator = Caller("administrator", "arn:aws:iam::123456789012:user/lab-administrator")
    http = HttpRequest("POST", "/", "", Headers([]))
    try:
        await asyncio.wait_for(
            gateway._answer(ApiCall(service, operation, {}, "us-east-1", administrator, "id", http)), timeout=2
        )
    except AwsError as error:
        return error.code == "NotImplemented"
    except Exception:
        return False  # it missed a parameter, so it looked for it
    return False


async def coverage() -> dict[str, dict[str, list[str]]]:
    """Return the operations of every service that the local cloud knows, by who answers them."""
    from labkit.local.wiring import build

    found: dict[str, dict[str, list[str]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        cloud = build(settings_for_tests(Path(folder), "http://127.0.0.1:4566"), stop=lambda: None)
        for service in sorted(cloud.gateway.services):
            verdicts = found[service] = {verdict: [] for verdict in COLUMNS}
            for operation in get_session().get_service_model(service).operation_names:
                verdict = cloud.gateway.answered_by(service, operation)
                if verdict == "ours" and await refuses_whatever_it_is_asked(cloud.gateway, service, operation):
                    verdict = "refused"
                verdicts[verdict].append(operation)
        await cloud.close()
    return found


def lines(found: dict[str, dict[str, list[str]]]) -> Iterator[str]:
    """Yield the table and, per service, the names."""
    yield f"The operations of botocore {botocore.__version__}. *Ours*: labkit answers, or checks before moto answers."
    yield ""
    yield "| service | ours | moto's | refused |"
    yield "| --- | --- | --- | --- |"
    for service, verdicts in found.items():
        yield f"| {service} | " + " | ".join(str(len(verdicts[verdict])) for verdict in COLUMNS) + " |"
    for service, verdicts in found.items():
        yield ""
        yield f"<details><summary>{service}</summary>"
        for verdict, title in COLUMNS.items():
            if verdicts[verdict]:
                yield ""
                yield f"**{title}**: {', '.join(sorted(verdicts[verdict]))}"
        yield ""
        yield "</details>"


def with_table(page: str) -> str:
    """Return *page* with what stands between the two markers made anew."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    table = "\n".join(lines(asyncio.run(coverage())))
    return f"{before}{BEGIN}\n\n{table}\n\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
