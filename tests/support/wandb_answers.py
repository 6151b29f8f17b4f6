"""Constant answers of the W&B server on loopback."""

from typing import Any

ENTITY = "someone"
# An organization has an entity of its own, which owns its registries.
ORGANIZATION = "Some Company"
ORGANIZATION_ENTITY = "some-company"


def membership(
    identity: str, name: str, entity: str = ENTITY, project_name: str = "p"
) -> dict[str, Any]:
    """Answer for one artifact, with the fields that the client requires."""
    owner = {"name": entity}
    project = {"id": "project-1", "internalId": "1", "name": project_name, "entity": owner}
    collection = {"__typename": "ArtifactSequence", "name": name, "project": project}
    artifact = {
        "__typename": "Artifact",
        "id": identity,
        "artifactSequence": collection,
        "versionIndex": 0,
        "artifactType": {"name": "dataset"},
        "description": None,
        "metadata": "{}",
        "ttlDurationSeconds": -2,
        "ttlIsInherited": True,
        "tags": [],
        "historyStep": None,
        "state": "COMMITTED",
        "size": 1,
        "digest": "digest",
        "digestAlgorithm": "MANIFEST_MD5",
        "commitHash": "hash",
        "fileCount": 1,
        "createdAt": "2026-01-01T00:00:00",
        "updatedAt": None,
    }
    return {
        "__typename": "ArtifactCollectionMembership",
        "id": f"membership-{identity}",
        "versionIndex": 0,
        "createdAt": "2026-01-01T00:00:00",
        "aliases": [],
        "artifactCollection": collection,
        "artifact": artifact,
    }


def organization() -> dict[str, Any]:
    return {"name": ORGANIZATION, "orgEntity": {"name": ORGANIZATION_ENTITY}}


def viewer() -> dict[str, Any]:
    return {
        "id": "user-1",
        "username": ENTITY,
        "email": "someone@example.org",
        "admin": False,
        "flags": "{}",
        "entity": ENTITY,
        "teams": {"edges": [{"node": {"name": ENTITY}}]},
    }
