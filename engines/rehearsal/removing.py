"""Which users a removal means, which sinks it looks into, and what it tells."""

from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack

from engines.common.identity import is_tenant_id
from engines.config.bucket import is_bucket, parse_bucket
from engines.config.runtime_config import Settings
from engines.identity.models import User
from engines.nexus.backends import get_backend
from engines.nexus.backends.sink import ErasableSink
from engines.rehearsal.caller import NotCarriedOut
from engines.rehearsal.receipt import Receipt
from engines.rehearsal.removal import Removal, Removed
from engines.storage.firestore_client import close_client, open_client

STAYS = (
    "{left} rows stay in {target}: BigQuery deletes nothing that was streamed in the last 90 minutes or so. "
    "Later: DELETE FROM `{target}` WHERE tenantId = 't_…', with the tenant of the receipt"
)


def all_sinks(
    settings: Settings, stack: AsyncExitStack, receipts: Sequence[Receipt] = ()
) -> dict[str, ErasableSink]:
    """Every sink that the settings reach: the one in use, and those whose stand-ins run beside it.

    The settings name one bucket, which holds no events where it has no scheme; the receipts may name more, on
    stand-ins.
    """
    client = open_client(settings.gcp_project or "", settings.firestore_emulator_host)
    stack.push_async_callback(close_client, client)
    sinks: dict[str, ErasableSink] = {}
    for chosen in (*_reached(settings), *_buckets(settings, receipts)):
        sink = get_backend(settings.model_copy(update=chosen), client)
        stack.push_async_callback(sink.close)
        sinks[sink.describe().target] = sink
    return sinks


def _reached(settings: Settings) -> Iterator[dict[str, str]]:
    stand_ins = {"firestore": settings.firestore_emulator_host, "bigquery": settings.bigquery_emulator_host}
    for backend, stand_in in stand_ins.items():
        if stand_in or settings.nexus_backend == backend:
            yield {"nexus_backend": backend}
    if settings.nexus_backend == "object_store":
        yield {"nexus_backend": "object_store"}


def _buckets(settings: Settings, receipts: Sequence[Receipt]) -> Iterator[dict[str, str]]:
    stand_ins = {"gs": settings.storage_emulator_host, "s3": settings.aws_endpoint_url}
    targets = (one.sink.target.removesuffix(f"{one.tenant_id}/") for one in receipts if one.sink)
    named = {settings.datasets_bucket or "", *targets}
    for bucket in sorted(named):
        if is_bucket(bucket) and stand_ins.get(parse_bucket(bucket).scheme):
            yield {"nexus_backend": "object_store", "datasets_bucket": bucket}


async def users_asked_for(
    removal: Removal,
    asked: str | None,
    receipts: Sequence[Receipt],
    sinks: dict[str, ErasableSink],
    *,
    everything: bool,
) -> list[User]:
    """The users of a run, of a tenant, of all, or of the newest receipt. Raises NotCarriedOut, Unmarked."""
    if everything:
        meant, found = list(receipts), await removal.users_of()
    elif asked and is_tenant_id(asked):
        meant, found = [one for one in receipts if one.tenant_id == asked], await removal.creator_of(asked)
    else:
        run = asked or next((one.run for one in sorted(receipts, key=lambda one: one.run, reverse=True)), "")
        if not run:
            raise NotCarriedOut("no receipt in rehearsals/: name a run or a tenant, or --all")
        meant, found = [one for one in receipts if one.run == run], await removal.users_of(run)
    for receipt in meant:
        if not receipt.local and not everything:
            raise NotCarriedOut(
                f"{receipt.run} was made at {receipt.base_url}, another stack: remove it there"
            )
        _check_sink(receipt, found, sinks)
    return found


def _check_sink(receipt: Receipt, users: Sequence[User], sinks: dict[str, ErasableSink]) -> None:
    """Refuse what could be removed only in part: its events lie where the settings do not look."""
    if not any(receipt.run in user.email for user in users) or receipt.sink is None:
        return
    targets = {target.replace("{tenant}", receipt.tenant_id or "") for target in sinks}
    if receipt.sink.target not in targets:
        sink = "s3" if receipt.sink.target.startswith("s3:") else receipt.sink.backend
        raise NotCarriedOut(
            f"the events of {receipt.run} lie in {receipt.sink.target}: "
            f"./scripts/up --sink {sink}, then remove it again. Nothing was removed"
        )


def told(removed: Removed) -> Iterator[str]:
    """What is gone, and what stays."""
    yield f"removed: {removed.users} users, {removed.tenants} tenants, {removed.documents} documents of state"
    for target, count in removed.events.items():
        if count:
            unit = "objects" if "://" in target else "events"
            yield f"removed: {count} {unit} in {target.replace('{tenant}', 't_…')}"
    for target, left in removed.left.items():
        yield STAYS.format(left=left, target=target)
