"""Roles and their policies that moto keeps."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

from labkit.local.moto_app.app import MotoApp, backend


class Roles:
    """Reads of moto's IAM, each in moto's thread."""

    def __init__(self, moto: MotoApp) -> None:
        self._moto = moto

    async def role(self, role_name: str) -> dict[str, Any] | None:
        """Return ``{"Arn", "RoleId", "RoleName", "AssumeRolePolicyDocument": dict}`` or ``None``."""
        return await self._moto.run(_role, role_name)

    async def policy_documents(self, role_name: str) -> list[dict[str, Any]]:
        """Return every identity policy of a role: inline ones, then attached managed ones."""
        return await self._moto.run(_policy_documents, role_name)


def _find(role_name: str) -> Any:
    roles = backend("iam", "us-east-1").roles.values()
    return next((role for role in roles if role.name == role_name), None)


def _role(role_name: str) -> dict[str, Any] | None:
    found = _find(role_name)
    if found is None:
        return None
    return {
        "Arn": found.arn,
        "RoleId": found.id,
        "RoleName": found.name,
        "AssumeRolePolicyDocument": _document(found.assume_role_policy_document),
    }


def _policy_documents(role_name: str) -> list[dict[str, Any]]:
    found = _find(role_name)
    if found is None:
        return []
    managed = [policy.document for policy in found.managed_policies.values()]
    return [_document(text) for text in [*found.policies.values(), *managed]]


def _document(text: str | dict[str, Any]) -> dict[str, Any]:
    return text if isinstance(text, dict) else json.loads(unquote(text))
