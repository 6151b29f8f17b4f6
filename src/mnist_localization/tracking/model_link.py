"""Link of the model of the best run to a W&B registry."""

import logging

from mnist_localization.tracking.client import Client
from mnist_localization.tracking.run_context import RunContext
from mnist_localization.tracking.run_index import Link, RunIndex

logger = logging.getLogger(__name__)


class ModelLink:
    """Link of a model to `wandb.link_to` during one publication.

    The index keeps a requested link until the server has made it. A publication tries once.
    """

    def __init__(self, client: Client, context: RunContext, index: RunIndex, model: str) -> None:
        """Prepare the link of a published model, `name:alias`, without requesting it."""
        self._client, self._context, self._index = client, context, index
        self._artifact = "/".join(filter(None, (context.entity, context.project, model)))
        self._pending: Link | None = None
        self._is_tried = False

    @property
    def target(self) -> str | None:
        """Return the registry path that the published model is linked to, or `None`."""
        link = self._index.link
        if link is None or not link.is_made or link.artifact != self._artifact:
            return None
        return self._client.redactor.text(link.target)

    def request(self, run: str, best: str) -> None:
        """Request a link if the published run is the best one and its link was not made before.

        If another run is published, a link of the best run that is still missing is kept.
        """
        settings, last = self._context.settings, self._index.link
        if settings is None or not settings.link_to or not best:
            return
        if run == best:
            artifact = self._artifact
        elif last is not None and last.run == best and not last.is_made:
            artifact = last.artifact
        else:
            return
        link = Link(
            run=best, artifact=artifact, target=settings.link_to, aliases=settings.link_aliases
        )
        if last is None or last != link.model_copy(update={"is_made": True}):
            self._index.link = self._pending = link

    def make(self) -> None:
        """Make the requested link if the server has the model, and log a problem as a warning."""
        link = self._pending
        if link is None or self._is_tried or not self._is_uploaded(link):
            return
        if not self._client.is_online:
            return
        self._is_tried = True
        # `None` after a timeout, about which the client has logged a warning.
        problem = self._client.ask("link the model", lambda: self._try(link))
        clean = self._client.redactor.text
        if problem == "":
            self._index.link, self._pending = link.model_copy(update={"is_made": True}), None
            aliases = f" with the aliases {', '.join(link.aliases)}" if link.aliases else ""
            logger.info("W&B: linked %s to %s", link.artifact, clean(f"{link.target}{aliases}"))
        elif problem:
            logger.warning(
                "W&B: cannot link %s to %s (%s); the next publication tries again",
                link.artifact,
                clean(link.target),
                problem,
            )

    def log_missing(self) -> None:
        """Log that the link is not made yet, unless a problem with it was logged."""
        if self._pending is not None and not self._is_tried:
            logger.info(
                "W&B: the model of the best run, %s, is not linked to %s yet; a later publication "
                "links it when it is online",
                self._pending.run,
                self._client.redactor.text(self._pending.target),
            )

    def _is_uploaded(self, link: Link) -> bool:
        """Return whether the server has the model; runs that are not listed were uploaded."""
        model = link.artifact.rpartition("/")[2]
        listed = [run for run in (*self._index.runs, *self._index.earlier) if model in run.outputs]
        return not listed or any(run.uploaded for run in listed)

    def _try(self, link: Link) -> str:
        """Make a link; return the reason if that fails, else an empty string."""
        try:
            # With the public API, because `Run.link_artifact` fails offline.
            self._client.api().artifact(link.artifact).link(link.target, list(link.aliases))
        except Exception as error:
            return self._client.reason(error)
        return ""
