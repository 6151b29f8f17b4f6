"""Constant answers of the W&B server on loopback."""

from typing import Any

ENTITY = "someone"


def membership(identity: str, name: str) -> dict[str, Any]:
    """Answer for one artifact, with the fields that the client requires."""
    project = {"id": "project-1", "internalId": "1", "name": "p", "entity": {"name": ENTITY}}
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
