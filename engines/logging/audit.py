"""Audit events: who did what, through the same pipeline as every event."""

from typing import Any

from engines.common.errors import Unavailable
from engines.common.identity import RequestContext
from engines.dataset.events.schemas import DatasetEvent
from engines.logging.events import EventPipeline


class Audit:
    """Emits audit events of requests."""

    def __init__(self, pipeline: EventPipeline) -> None:
        self._pipeline = pipeline

    async def emit(
        self,
        context: RequestContext,
        action: str,
        metadata: dict[str, Any] | None = None,
        *,
        surface: str = "audit",
        input: dict[str, Any] | None = None,
        output: dict[str, Any] | None = None,
    ) -> str:
        """Store an audit event and return its event id. The caller's metadata overrides the standard one.

        Raises Unavailable (HTTP 503) when it could not be stored.
        """
        actor = "human" if context.user_id else "system"
        standard = {
            "action": action,
            "actor_type": actor,
            "request_id": context.request_id,
            "trace_id": context.request_id,
        }
        event = DatasetEvent(
            tenantId=context.tenant_id,
            env=context.env,
            surface=surface,
            agentId=context.user_id or "system",
            input=input or {},
            output=output or {},
            metadata=standard | (metadata or {}),
            analytics_event_type="audit",
            analytics_platform="internal",
            traceId=context.request_id,
            requestId=context.request_id,
            actorType=actor,
        )
        result = await self._pipeline.log(event)
        if result.status != "accepted":
            raise Unavailable({"error": "audit_not_stored", "action": action, "reason": result.error})
        return result.event_id
