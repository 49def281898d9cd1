"""A tenant with events of the real pipeline on one sink, and the verify command run on it."""

import asyncio
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest

from engines.common.documents import Scope
from engines.logging.events import EventPipeline
from engines.nexus.backends.sink import Envelope
from engines.nexus.delivery import Delivery
from engines.privacy.service import PrivacyService
from engines.storage.firestore import FirestoreDocumentStore
from engines.storage.firestore_client import close_client, open_client
from engines.verification.__main__ import run
from engines.verification.preferences import UNDER_WAY
from engines.verification.usage import parser
from tests.support.bigquery import PROJECT
from tests.support.far_ends import FarEnd
from tests.support.planting import MAIL, OPTED_OUT
from tests.support.records import dataset_event, page_view, stored_events

MARK = {"synthetic": "rehearsal"}
CLEAN_EVENTS: dict[str, dict[str, Any]] = {
    "plain": {"input": {"text": "hello", "to": {"deep": MAIL}}},
    "second": {},
    "flagged": {"input": {"text": MAIL}},
    "opted-out": {"agentId": OPTED_OUT},
    "rehearsed": {"metadata": MARK},
    # A phone only as it was written: Firestore gives the fields back sorted by name.
    "joined": {"metadata": {"a": "1234", "c": "567890", "b": "x"}},
    # The same for the body of a page view.
    "viewed": page_view({"surface": "x 1234", "page_type": "567890 x"}).model_dump(exclude={"tenantId"}),
    "staged": {"env": "staging", "seo_title": f"by {MAIL}"},
}
TRAINABLE = {"plain", "staged"}


@dataclass
class Place:
    """A tenant on one sink with events of the real pipeline."""

    far_end: FarEnd
    tenant: str = field(default_factory=lambda: f"t_{uuid4().hex}")
    secret: str = field(
        default_factory=lambda: f"secret{uuid4().hex}".translate(str.maketrans("0123456789", "ghijklmnop"))
    )

    async def log(self) -> None:
        """A preference, then events of every kind after it."""
        client = open_client(PROJECT, self.far_end.settings.firestore_emulator_host)
        privacy = PrivacyService(FirestoreDocumentStore(client))
        await privacy.set_preference(Scope(self.tenant, "dev"), OPTED_OUT, True)
        await asyncio.sleep(UNDER_WAY.total_seconds() + 0.2)
        async with self.far_end.sink() as sink:
            delivery = Delivery(sink)
            delivery.start()
            pipeline = EventPipeline(privacy, delivery)
            for name, values in CLEAN_EVENTS.items():
                event = dataset_event(**{"tenantId": self.tenant, "output": {"note": self.secret}} | values)
                result = await pipeline.log(event, name)
                assert (result.status, result.durable_in) == ("accepted", "sink")
            await delivery.stop()
        await close_client(client)

    async def originals(self) -> dict[str, Envelope]:
        """The clean events by their ids."""
        async with self.far_end.sink() as sink:
            return {item.event_id: item for item in await stored_events(sink, self.tenant)}

    async def verify(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
        """Exit code and output of the command; no payload is ever in it."""
        capsys.readouterr()
        command, *rest = arguments
        code = await run(
            self.far_end.settings, parser().parse_args([command, "--tenant", self.tenant, *rest])
        )
        output = capsys.readouterr()
        for hidden in (self.secret, MAIL):
            assert hidden not in output.out + output.err
        return code, output.out
