"""Layers: zips that functions share. Their folders stand for /opt, in the order in which a function names them.

https://docs.aws.amazon.com/lambda/latest/dg/chapter-layers.html
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

from labkit.local.api_call import ACCOUNT_ID, ApiCall, AwsError
from labkit.local.clock import Clock, iso_milliseconds
from labkit.local.lambda_runtime.names import invalid, violation
from labkit.local.lambda_runtime.packages import LARGEST_UNZIPPED, code_sha256, package_of, unpack, unzipped_size
from labkit.local.lambda_runtime.paging import page
from labkit.local.lambda_runtime.runtimes import GONE, TAKEN

MOST_LAYERS = 5
NAME = re.compile(r"(arn:aws:lambda:[\w-]+:\d{12}:layer:)?(?P<name>[a-zA-Z0-9-_]{1,140})")
VERSION_ARN = re.compile(
    r"(arn:(aws[a-zA-Z-]*)?:lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:layer:"
    r"[a-zA-Z0-9-_]+:[0-9]+)|(arn:[a-zA-Z0-9-]+:lambda:::awslayer:[a-zA-Z0-9-_]+)"
)
ARCHITECTURES = ("x86_64", "arm64")


class Layers:
    """Every layer by its ARN: its versions, and what each holds. A deleted version stays for functions that use it."""

    def __init__(
        self,
        *,
        get_object: Callable[[str, str], Awaitable[Any]],
        locate: Callable[[str], str],
        folder: Path,
        clock: Clock,
    ) -> None:
        self._get_object, self._locate, self._folder, self._clock = get_object, locate, folder, clock
        self._layers: dict[str, dict[str, dict[str, Any]]] = {}

    @property
    def operations(self) -> dict[str, Callable[[ApiCall], Any]]:
        """The operations of the API."""
        return {
            "PublishLayerVersion": self.publish,
            "GetLayerVersion": lambda call: self._described(self._version(call)),
            "GetLayerVersionByArn": self.get_by_arn,
            "ListLayers": self.list_layers,
            "ListLayerVersions": self.list_versions,
            "DeleteLayerVersion": self.delete,
        }

    async def publish(self, call: ApiCall) -> dict[str, Any]:
        """Keep a zip as the next version of a layer."""
        params, arn = call.params, _arn(call)
        _check_compatible("compatibleRuntimes", params.get("CompatibleRuntimes"), TAKEN)
        _check_compatible("compatibleArchitectures", params.get("CompatibleArchitectures"), ARCHITECTURES)
        content = await package_of(params.get("Content") or {}, self._get_object)
        await asyncio.to_thread(unpack, content, self._folder)
        versions = self._layers.setdefault(arn, {})
        number = len(versions) + 1  # deleted ones are there too: no number comes twice
        version = versions[str(number)] = {
            "LayerVersionArn": f"{arn}:{number}",
            "Version": number,
            "Description": params.get("Description") or "",
            "CreatedDate": iso_milliseconds(self._clock.now(), "+0000"),
            "CompatibleRuntimes": params.get("CompatibleRuntimes") or [],
            "CompatibleArchitectures": params.get("CompatibleArchitectures") or [],
            **({"LicenseInfo": params["LicenseInfo"]} if params.get("LicenseInfo") else {}),
            "Content": content,
            "Deleted": False,
        }
        return self._described(version)

    def _described(self, version: dict[str, Any]) -> dict[str, Any]:
        content, arn = version["Content"], version["LayerVersionArn"]
        return {
            **_listed(version),
            "LayerArn": arn.rpartition(":")[0],
            "Content": {
                "Location": self._locate(arn),
                "CodeSha256": code_sha256(content),
                "CodeSize": len(content),
            },
        }

    def _version(self, call: ApiCall) -> dict[str, Any]:
        return self._there(_version_arn(call))

    def _there(self, arn: str) -> dict[str, Any]:
        version = self._find(arn)
        if version is None or version["Deleted"]:
            text = "The resource you requested does not exist."
            raise AwsError("ResourceNotFoundException", text, 404, Type="User")
        return version

    def _find(self, arn: str) -> dict[str, Any] | None:
        layer, _, number = arn.rpartition(":")
        return self._layers.get(layer, {}).get(number)

    def get_by_arn(self, call: ApiCall) -> dict[str, Any]:
        """Return a version by its ARN."""
        arn = str(call.params.get("Arn") or "")
        if not VERSION_ARN.fullmatch(arn):
            raise violation(arn, "arn", f"satisfy regular expression pattern: {VERSION_ARN.pattern}")
        return self._described(self._there(arn))

    def list_layers(self, call: ApiCall) -> dict[str, Any]:
        """List the layers, each with its newest version that fits."""
        found = {}
        for arn in sorted(self._layers):
            fitting = self._fitting(call, arn)
            if fitting and arn.split(":")[3] == call.region:
                name = arn.rpartition(":")[2]
                found[arn] = {"LayerName": name, "LayerArn": arn, "LatestMatchingVersion": _listed(fitting[0])}
        return page(call, "Layers", found)

    def list_versions(self, call: ApiCall) -> dict[str, Any]:
        """List the versions of a layer, the newest first."""
        fitting = self._fitting(call, _arn(call))
        return page(call, "LayerVersions", {str(version["Version"]): _listed(version) for version in fitting})

    def _fitting(self, call: ApiCall, arn: str) -> list[dict[str, Any]]:
        """Return the versions of a layer that fit the runtime and the architecture of a call, the newest first."""
        runtime, architecture = call.params.get("CompatibleRuntime"), call.params.get("CompatibleArchitecture")
        if runtime and runtime not in TAKEN and not GONE.fullmatch(runtime):
            raise violation(runtime, "compatibleRuntime", f"satisfy enum value set: [{', '.join(TAKEN)}]")
        if architecture and architecture not in ARCHITECTURES:
            raise violation(
                architecture, "compatibleArchitecture", f"satisfy enum value set: [{', '.join(ARCHITECTURES)}]"
            )
        return [
            version
            for version in reversed(self._layers.get(arn, {}).values())
            if not version["Deleted"]
            and (not runtime or runtime in version["CompatibleRuntimes"])
            and (not architecture or architecture in version["CompatibleArchitectures"])
        ]

    def delete(self, call: ApiCall) -> None:
        """Delete a version: no function can take it any more, those that have it keep it."""
        if version := self._find(_version_arn(call)):
            version["Deleted"] = True

    # --- For functions ------------------------------------------------------------------------------------------------

    def attach(self, arns: list[str], region: str, package: bytes, kept: list[str]) -> list[dict[str, Any]]:
        """Return what a function with *package* shows of its layers; *kept* are those that it has already.

        Raises:
            AwsError: ``InvalidParameterValueException`` or ``ValidationException``.
        """
        if len(arns) > MOST_LAYERS:
            raise invalid(f"Cannot reference more than {MOST_LAYERS} layers.")
        by_layer: dict[str, str] = {}
        for arn in arns:
            self._check(arn, region, arns, arn in kept)
            other = by_layer.setdefault(arn.rpartition(":")[0], arn)
            if other is not arn:
                raise invalid(
                    "Two different versions of the same layer are not allowed to be referenced in the same function. "
                    f"{other} and {arn} are versions of the same layer."
                )
        contents = [self.content(arn) for arn in arns]
        size = unzipped_size([package, *contents]) if contents else 0
        if size > LARGEST_UNZIPPED:
            raise invalid(
                f"Function code combined with layers exceeds the maximum allowed size of {LARGEST_UNZIPPED} bytes. The "
                f"actual size is {size} bytes."
            )
        return [{"Arn": arn, "CodeSize": len(content)} for arn, content in zip(arns, contents, strict=True)]

    def _check(self, arn: str, region: str, arns: list[str], kept: bool) -> None:
        if not VERSION_ARN.fullmatch(arn):
            rule = (
                "satisfy constraint: [Member must have length less than or equal to 2048, Member must have length "
                f"greater than or equal to 1, Member must satisfy regular expression pattern: {VERSION_ARN.pattern}, "
                "Member must not be null]"
            )
            raise violation(f"[{', '.join(arns)}]", "layers", rule)
        if arn.split(":")[3] != region:
            raise invalid(
                f"Layers are not in the same region as the function. Layers are expected to be in region {region}."
            )
        version = self._find(arn)
        if version is None or (version["Deleted"] and not kept):
            raise invalid(f"Layer version {arn} does not exist.")

    def content(self, arn: str) -> bytes:
        """Return the zip of a layer's version, a deleted one's too.

        Raises:
            AwsError: ``ResourceNotFoundException``.
        """
        version = self._find(arn) or self._there(arn)
        content: bytes = version["Content"]
        return content

    def code_size(self) -> int:
        """Return how many bytes the zips of all layers have."""
        versions = [version for layer in self._layers.values() for version in layer.values() if not version["Deleted"]]
        return sum(len(version["Content"]) for version in versions)

    def snapshot(self) -> dict[str, Any]:
        """Return the layers as plain data; contents are bytes."""
        return deepcopy(self._layers)

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a snapshot."""
        self._layers = deepcopy(state)


def _arn(call: ApiCall) -> str:
    given = str(call.params.get("LayerName") or "")
    found = NAME.fullmatch(given)
    if not found:
        raise violation(given, "layerName", f"satisfy regular expression pattern: {NAME.pattern}")
    return f"arn:aws:lambda:{call.region}:{ACCOUNT_ID}:layer:{found['name']}"


def _version_arn(call: ApiCall) -> str:
    number = int(call.params.get("VersionNumber") or 0)
    if number < 1:
        raise invalid("Layer Version Cannot be less than 1")
    return f"{_arn(call)}:{number}"


def _listed(version: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in version.items() if key not in ("Content", "Deleted")}


def _check_compatible(member: str, given: list[str] | None, allowed: tuple[str, ...]) -> None:
    wrong = [one for one in given or [] if one not in allowed and not (allowed is TAKEN and GONE.fullmatch(one))]
    if wrong:
        shown = f"[{', '.join(given or [])}]"
        raise violation(shown, member, f"satisfy enum value set: [{', '.join(allowed)}]")
