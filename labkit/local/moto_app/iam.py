"""Users, roles and their policies that moto keeps."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

from labkit.local.moto_app.app import MotoApp, backend


class Principals:
    """Reads of moto's IAM, each in moto's thread."""

    def __init__(self, moto: MotoApp) -> None:
        self._moto = moto

    async def role(self, role_name: str) -> dict[str, Any] | None:
        """Return ``Arn``, ``RoleId``, ``AssumeRolePolicyDocument``, ``MaxSessionDuration`` and so on, or ``None``."""
        return await self._moto.run(_role, role_name)

    async def permissions(self, arn: str) -> dict[str, Any]:
        """Return what decides for a user, a role or a group.

        Returns:
            ``identity`` (its policies: inline ones, attached managed ones, those of a user's groups), ``boundary`` (a
            policy or ``None``) and ``tags``.
        """
        return await self._moto.run(_permissions, arn)

    async def exists(self, arn: str) -> bool:
        """Whether there is such a user, role or group."""
        return await self._moto.run(_find, arn) is not None

    async def tags(self, arn: str) -> dict[str, str]:
        """Return the tags of a user or role."""
        found = await self.permissions(arn)
        return dict(found["tags"])

    async def managed_policy(self, arn: str) -> dict[str, Any] | None:
        """Return the document of a managed policy, or ``None``."""
        return await self._moto.run(_managed_policy, arn)

    async def user_keys(self) -> dict[str, dict[str, str]]:
        """Return ``{"secret", "arn", "id"}`` of every active access key of a user, by key."""
        return await self._moto.run(_user_keys)


def _find(arn: str) -> Any:
    kind, name = arn.rpartition(":")[2].partition("/")[0], arn.rpartition("/")[2]
    store = backend("iam", "us-east-1")
    if kind == "user":
        return store.users.get(name)
    if kind == "group":
        return store.groups.get(name)
    return _find_role(name)


def _find_role(role_name: str) -> Any:
    roles = backend("iam", "us-east-1").roles.values()
    return next((role for role in roles if role.name == role_name), None)


def _role(role_name: str) -> dict[str, Any] | None:
    found = _find_role(role_name)
    if found is None:
        return None
    return {
        "Arn": found.arn,
        "RoleId": found.id,
        "RoleName": found.name,
        "AssumeRolePolicyDocument": _document(found.assume_role_policy_document),
        "MaxSessionDuration": int(found.max_session_duration or 3600),
    }


def _permissions(arn: str) -> dict[str, Any]:
    found = _find(arn)
    if found is None:
        return {"identity": [], "boundary": None, "tags": {}}
    groups = backend("iam", "us-east-1").get_groups_for_user(found.name) if ":user/" in arn else []
    boundary = (getattr(found, "permissions_boundary", None) or {}).get("PermissionsBoundaryArn")
    return {
        "identity": [document for one in (found, *groups) for document in _policies(one)],
        "boundary": (_managed_policy(boundary) or {"Statement": []}) if boundary else None,
        "tags": _tags(getattr(found, "tags", None)),
    }


def _policies(principal: Any) -> list[dict[str, Any]]:
    managed = [_default_version(policy) for policy in principal.managed_policies.values()]
    return [_document(text) for text in [*principal.policies.values(), *managed]]


def _managed_policy(arn: str) -> dict[str, Any] | None:
    found = backend("iam", "us-east-1").managed_policies.get(arn)
    return _document(_default_version(found)) if found is not None else None


def _default_version(policy: Any) -> str:
    versions = {version.version_id: version.document for version in policy.versions}
    return str(versions[policy.default_version_id])


def _tags(tags: Any) -> dict[str, str]:
    listed = list(tags.values()) if isinstance(tags, dict) else tags or []
    return {tag["Key"]: tag["Value"] for tag in listed}


def _user_keys() -> dict[str, dict[str, str]]:
    return {
        key.access_key_id: {"secret": key.secret_access_key, "arn": user.arn, "id": user.id}
        for user in backend("iam", "us-east-1").users.values()
        for key in user.access_keys
        if key.status == "Active"
    }


def _document(text: str | dict[str, Any]) -> dict[str, Any]:
    return text if isinstance(text, dict) else json.loads(unquote(text))
