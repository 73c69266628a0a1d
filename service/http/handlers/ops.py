"""Monitoring: liveness, readiness, metrics."""

import asyncio
from concurrent.futures import Executor, ThreadPoolExecutor

from service.http.handlers.base import JsonHandler, Route
from service.observability.metrics import Metrics
from storage.base.errors import StorageError
from storage.base.schema_report import SchemaState
from storage.vault import TokenVault

__all__ = ["health_routes", "routes"]

#: How long a probe may wait: those who ask give up soon.
_ANSWER_SECONDS = 0.9


class HealthHandler(JsonHandler):
    """`GET /healthz`: the process answers."""

    def get(self) -> None:
        """Say so."""
        self.write_json({"status": "ok"})

    head = get


class ReadyHandler(JsonHandler):
    """`GET /readyz`: the process can do its work, or 503 with what stands in the way."""

    def initialize(self, vault: TokenVault) -> None:
        """Take what the handler needs."""
        self.vault = vault

    async def get(self) -> None:
        """Ask the store whether it takes an authorization, and whether its tables are as the code expects them."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                schema = await self.vault.check_schema()
                await self.vault.check_writable()
        except (StorageError, TimeoutError) as error:
            self.set_status(503)
            message = str(error) or "the store does not answer in time"
            self.write_json({"status": "store_unavailable", "errmsg": message})
            return
        ready = schema.state in {SchemaState.CURRENT, SchemaState.AHEAD}
        if not ready:
            self.set_status(503)
        self.write_json(
            {
                "status": "ready" if ready else "schema_" + schema.state,
                "schema": {"current": schema.current, "expected": schema.expected},
            }
        )

    head = get


class MetricsHandler(JsonHandler):
    """`GET /metrics`: Prometheus text."""

    def initialize(self, metrics: Metrics, thread: Executor) -> None:
        """Take what the handler needs."""
        self.metrics = metrics
        self.thread = thread

    async def get(self) -> None:
        """Write all metrics, those of the other workers included."""
        content_type, text = await asyncio.get_running_loop().run_in_executor(self.thread, self.metrics.expose)
        self.set_header("Content-Type", content_type)
        self.write(text)

    head = get


def health_routes() -> list[Route]:
    """Return the routes that both listeners have."""
    return [(r"/healthz", HealthHandler, {})]


def routes(vault: TokenVault, metrics: Metrics) -> list[Route]:
    """Return the routes of the private listener."""
    # Of its own: those that work is given to may all be waiting for a store that does not answer.
    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="metrics")
    return [
        *health_routes(),
        (r"/readyz", ReadyHandler, {"vault": vault}),
        (r"/metrics", MetricsHandler, {"metrics": metrics, "thread": thread}),
    ]
