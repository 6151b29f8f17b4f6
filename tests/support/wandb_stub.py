"""Small W&B server on loopback that answers the real client and records what arrives."""

import base64
import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from support.wandb_answers import ENTITY, membership, organization, viewer

KEY = "a" * 40


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: Any) -> None:
        """Ignore clients that close the connection."""


def _handler(stub: "StubServer") -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def _serve(self) -> None:
            if stub.drops:
                self.close_connection = True
                return
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            status, answer = stub.answer(self.command, self.path, body, self.headers)
            data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = _serve

    return Handler


class StubServer:
    """Server of GraphQL, the file stream and uploads.

    Attributes:
        calls: Every request, as `(method, path, body)`.
        runs: Run id to the merged variables of its upserts.
        stream: Run id to file name to the lines of the file stream.
        exit_codes: Run id to the exit code of a finished run.
        files: Path of an upload to its bytes.
        artifacts: Artifact id to its description.
        links: Inputs of the links to registries, in order.
        features: Names of the server features that are enabled.
        uses: Pairs of a run and an artifact that it uses.
        reports: Id of each saved view to its last state.
        unknown: Queries without an answer.
        refuses_key: Whether every key is refused.
        stall: Path prefixes that are never answered.
        stall_on: GraphQL operations that are never answered.
        rejects: GraphQL operations that are answered with an error.
        pause_s: Seconds of each upload; uploads are accepted one after the other.
        is_down: Whether every request is answered with status 503.
        drops: Whether every connection is closed without an answer.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, Any]] = []
        self.operations: list[tuple[str, dict[str, Any]]] = []
        self.runs: dict[str, dict[str, Any]] = {}
        self.stream: dict[str, dict[str, dict[int, str]]] = {}
        self.exit_codes: dict[str, int] = {}
        self.files: dict[str, bytes] = {}
        self.artifacts: dict[str, dict[str, Any]] = {}
        self.reports: dict[str, dict[str, Any]] = {}
        self.links: list[dict[str, Any]] = []
        self.features: tuple[str, ...] = ()
        self.uses: set[tuple[str, str]] = set()
        self.unknown: list[str] = []
        self.keys: set[str] = set()
        self.refuses_key = False
        self.stall: tuple[str, ...] = ()
        self.stall_on: set[str] = set()
        self.rejects: set[str] = set()
        self.is_down = False
        self.drops = False
        self.pause_s = 0.0
        self._lock = threading.RLock()
        self._narrow = threading.Lock()
        self._closing = threading.Event()
        self._server = _QuietServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def history(self, run: str) -> list[dict[str, Any]]:
        """Return the rows of a run that have arrived, in order."""
        with self._lock:
            lines = dict(self.stream.get(run, {}).get("wandb-history.jsonl", {}))
        return [json.loads(lines[number]) for number in sorted(lines)]

    def count(self, operation: str) -> int:
        """Return how often a GraphQL operation has arrived."""
        return sum(name == operation for name, _ in self.operations)

    # --- answers --------------------------------------------------------------------------

    def answer(self, method: str, path: str, body: bytes, headers: Any) -> tuple[int, Any]:
        parts = urlsplit(path)
        is_json = method == "POST" and bool(body)
        said: Any = json.loads(body) if is_json else body
        with self._lock:
            self.calls.append((method, path, said))
        self._wait(method, parts.path, _operation(said) if is_json else "")
        if self.is_down:
            return 503, {"errors": [{"message": "down"}]}
        if (given := headers.get("Authorization", "")).startswith("Basic "):
            self.keys.add(base64.b64decode(given[6:]).decode().partition(":")[2])
        if self.refuses_key:
            return 401, {"errors": [{"message": "user is not logged in", "code": 401}]}
        with self._lock:
            return self._accept(method, parts.path, said)

    def _wait(self, method: str, path: str, operation: str) -> None:
        """Stall or pause before an answer, if the test asks for it."""
        if path.startswith(tuple(self.stall)) or operation in self.stall_on:
            self._closing.wait(120)
        if method == "PUT" and self.pause_s:
            with self._narrow:
                time.sleep(self.pause_s)

    def _accept(self, method: str, path: str, said: Any) -> tuple[int, Any]:
        if path == "/graphql":
            if _operation(said) in self.rejects:
                return 200, {"errors": [{"message": "rejected"}]}
            return 200, {"data": self._graphql(said)}
        if path.endswith("/file_stream"):
            return 200, self._file_stream(path, said)
        if method == "PUT":
            self.files[path.removeprefix("/storage/")] = said
            return 200, {}
        return 404, {"error": f"nothing at {path}"}

    def _file_stream(self, path: str, said: dict[str, Any]) -> dict[str, Any]:
        run = path.split("/")[-2]
        for name, chunk in (said.get("files") or {}).items():
            lines = self.stream.setdefault(run, {}).setdefault(name, {})
            for number, line in enumerate(chunk["content"], start=chunk.get("offset", 0)):
                lines[number] = line
        if said.get("complete"):
            self.exit_codes[run] = int(said["exitcode"])
        return {}

    def _graphql(self, said: dict[str, Any]) -> dict[str, Any]:
        query, variables = said["query"], said.get("variables") or {}
        name = _operation(said)
        self.operations.append((name, variables))
        handler = getattr(self, "_on_" + re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower(), None)
        if handler is None:
            self.unknown.append(query)
            return {}
        return handler(variables)

    # --- GraphQL --------------------------------------------------------------------------

    def _on_viewer(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"viewer": viewer()}

    def _on_server_features_query(self, _: dict[str, Any]) -> dict[str, Any]:
        enabled = [{"name": name, "isEnabled": True} for name in self.features]
        return {"serverInfo": {"features": enabled}}

    def _on_run_resume_status(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"model": {"bucket": None}}

    def _on_upsert_bucket(self, said: dict[str, Any]) -> dict[str, Any]:
        name = said["name"]
        inserted = name not in self.runs
        run = self.runs.setdefault(name, {})
        run.update({key: value for key, value in said.items() if value is not None})
        entity = {"id": "entity-1", "name": said["entity"] or ENTITY}
        return {
            "upsertBucket": {
                "bucket": {
                    "id": f"bucket-{name}",
                    "name": name,
                    "displayName": run.get("displayName"),
                    "description": None,
                    "config": None,
                    "sweepName": None,
                    "historyLineCount": None,
                    "project": {"id": "project-1", "name": said["project"], "entity": entity},
                },
                "inserted": inserted,
            }
        }

    def _on_create_run_files(self, said: dict[str, Any]) -> dict[str, Any]:
        files = [
            {"name": name, "uploadUrl": f"{self.url}/storage/runs/{said['run']}/{name}"}
            for name in said["files"]
        ]
        return {
            "createRunFiles": {
                "runID": said["run"],
                "uploadHeaders": [],
                "files": files,
            }
        }

    def _on_create_artifact(self, said: dict[str, Any]) -> dict[str, Any]:
        # Like the real server: an artifact that is sent again is the same one.
        wanted = said["input"]
        identity = next(
            (
                known
                for known, one in self.artifacts.items()
                if one["clientID"] == wanted["clientID"]
            ),
            f"artifact-{len(self.artifacts)}",
        )
        self.artifacts[identity] = {**wanted, "state": "PENDING"}
        return {
            "createArtifact": {
                "artifact": {
                    "id": identity,
                    "state": "PENDING",
                    "artifactSequence": {"id": f"sequence-{identity}", "latestArtifact": None},
                }
            }
        }

    def _on_create_artifact_manifest(self, said: dict[str, Any]) -> dict[str, Any]:
        said = said.get("input", said)
        identity = f"manifest-{said['artifactID']}"
        where = f"storage/artifacts/{said['artifactID']}/{identity}"
        return {
            "createArtifactManifest": {
                "artifactManifest": {
                    "id": identity,
                    "file": {
                        "id": f"file-{identity}",
                        "name": said["name"],
                        "displayName": said["name"],
                        "uploadUrl": f"{self.url}/{where}",
                        "uploadHeaders": [],
                    },
                }
            }
        }

    def _on_create_artifact_files(self, said: dict[str, Any]) -> dict[str, Any]:
        said = said.get("input", said)
        edges = []
        for spec in said["artifactFiles"]:
            where = f"storage/artifacts/{spec['artifactID']}/{spec['name']}"
            edges.append(
                {
                    "node": {
                        "id": f"file-{spec['name']}",
                        "name": spec["name"],
                        "displayName": spec["name"],
                        "uploadUrl": f"{self.url}/{where}",
                        "uploadHeaders": [],
                        "storagePath": where,
                        "uploadMultipartUrls": None,
                        "artifact": {"id": spec["artifactID"]},
                    }
                }
            )
        return {"createArtifactFiles": {"files": {"edges": edges}}}

    def _on_commit_artifact(self, said: dict[str, Any]) -> dict[str, Any]:
        said = said.get("input", said)
        self.artifacts[said["artifactID"]]["state"] = "COMMITTED"
        return {"commitArtifact": {"artifact": {"id": said["artifactID"], "digest": "digest"}}}

    def _on_artifact_type(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"project": {"artifact": None}}

    def _on_artifact_membership_by_name(self, said: dict[str, Any]) -> dict[str, Any]:
        name, _, alias = said["name"].partition(":")
        for number, link in enumerate(self.links):
            if (link["artifactPortfolioName"], f"v{number}") == (name, alias):
                answer = membership(link["artifactID"], name, said["entity"], said["project"])
                return {"project": {"artifactCollectionMembership": answer}}
        for identity, artifact in reversed(self.artifacts.items()):
            aliases = {one["alias"] for one in artifact["aliases"]}
            known = name == artifact["artifactCollectionName"] and alias in aliases
            if known and artifact["state"] == "COMMITTED":
                return {"project": {"artifactCollectionMembership": membership(identity, name)}}
        return {"project": {"artifactCollectionMembership": None}}

    def _on_use_artifact(self, said: dict[str, Any]) -> dict[str, Any]:
        self.uses.add((said["runName"], said["artifactID"]))
        return {"useArtifact": {"artifact": {"id": said["artifactID"]}}}

    def _on_fetch_org_info_from_entity(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"entity": {"organization": None, "user": {"organizations": [organization()]}}}

    def _on_link_artifact(self, said: dict[str, Any]) -> dict[str, Any]:
        link = said["input"]
        self.links.append(link)
        names = (link["artifactPortfolioName"], link["entityName"], link["projectName"])
        answer: dict[str, Any] = {"versionIndex": len(self.links) - 1}
        if self.features:
            answer["artifactMembership"] = membership(link["artifactID"], *names)
        return {"result": answer}

    # --- GraphQL of the public API --------------------------------------------------------

    def _on_get_default_entity(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"viewer": {"id": "user-1", "entity": ENTITY}}

    def _on_run(self, said: dict[str, Any]) -> dict[str, Any]:
        name = said["name"]
        if name not in self.runs:
            return {"project": {"run": None}}
        attributes = {"id": f"bucket-{name}", "name": name, "projectId": "1", "user": viewer()}
        attributes |= {"config": "{}", "summaryMetrics": "{}", "systemMetrics": "{}"}
        return {"project": {"run": attributes | {"state": self._state(name), "tags": []}}}

    def _on_run_state(self, said: dict[str, Any]) -> dict[str, Any]:
        return {"project": {"run": {"state": self._state(said["name"])}}}

    def _state(self, run: str) -> str:
        if run not in self.exit_codes:
            return "running"
        return "failed" if self.exit_codes[run] else "finished"

    # --- GraphQL of reports ---------------------------------------------------------------

    def _on_project_internal_id(self, said: dict[str, Any]) -> dict[str, Any]:
        known = any(run.get("project") == said["projectName"] for run in self.runs.values())
        return {"project": {"id": "project-1", "internalId": "UHJvamVjdDox"} if known else None}

    def _on_get_projects(self, _: dict[str, Any]) -> dict[str, Any]:
        names = sorted({run["project"] for run in self.runs.values()})
        projects = [
            {
                "__typename": "Project",
                "id": "project-1",
                "name": name,
                "entityName": ENTITY,
                "createdAt": "2026-01-01T00:00:00",
                "isBenchmark": False,
                "user": None,
            }
            for name in names
        ]
        page = {"__typename": "PageInfo", "endCursor": None, "hasNextPage": False}
        return {"models": {"pageInfo": page, "edges": [{"node": one} for one in projects]}}

    def _on_specific_report(self, said: dict[str, Any]) -> dict[str, Any]:
        identity = said["reportId"]
        return {"view": self._view(identity) if identity in self.reports else None}

    def _on_upsert_view(self, said: dict[str, Any]) -> dict[str, Any]:
        inserted = said["id"] is None
        new = base64.b64encode(f"View:1:{len(self.reports)}".encode()).decode()
        identity = new if inserted else said["id"]
        self.reports[identity] = {**said, "spec": json.loads(said["spec"])}
        return {"upsertView": {"view": self._view(identity), "inserted": inserted}}

    def _view(self, identity: str) -> dict[str, Any]:
        report = self.reports[identity]
        project = {
            "id": "project-1",
            "name": report["projectName"],
            "entityName": report["entityName"],
        }
        return {
            "id": identity,
            "type": report["type"],
            "name": report["name"],
            "displayName": report["displayName"],
            "description": report["description"],
            "project": project,
            "spec": json.dumps(report["spec"]),
            "createdAt": "2026-01-01T00:00:00",
            "updatedAt": "2026-01-01T00:00:00",
        }


def _operation(said: dict[str, Any]) -> str:
    found = re.search(r"(?:query|mutation)\s+(\w+)", said.get("query", ""))
    return found.group(1) if found else ""
