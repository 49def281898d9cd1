"""Everything that is kept of a tenant in one env: the collections of all domains."""

from engines.analytics.config_models import ANALYTICS_CONFIGS
from engines.analytics.models import ANALYTICS_EVENTS
from engines.budget.buckets import SLOTS, bucket, rollups_of
from engines.budget.models import REPAIRS, USAGE_EVENTS, UsageEvent
from engines.common.collection import Collection
from engines.common.documents import Address, DocumentStore, Scope
from engines.common.idempotency import KEYS
from engines.firearms.models import FIREARMS_LICENCES
from engines.kill_switch.models import KILL_SWITCHES
from engines.kpi.models import KPI_CORRIDORS, KPI_DEFINITIONS
from engines.logging.arrival_days import DAYS
from engines.logging.arrivals import HOURS
from engines.logging.progress import PROGRESS
from engines.nexus.delivery.dead_letters import DEAD_LETTERS
from engines.nexus.delivery.outbox_records import OUTBOX, QUEUES
from engines.privacy.models import TRAINING_PREFERENCES
from engines.reconciliation.models import ACKNOWLEDGED, RESULTS
from engines.seo.models import SEO_PAGES
from engines.strategy_lock.models import STRATEGY_LOCKS
from engines.temperature.models import (
    TEMPERATURE_CEILINGS,
    TEMPERATURE_FLOORS,
    TEMPERATURE_SNAPSHOTS,
    TEMPERATURE_WEIGHTS,
)

COUNTED = (HOURS, DAYS, RESULTS, ACKNOWLEDGED)
"""What says how many events were accepted: it goes before the events, or they would count as missing."""

ALWAYS = (
    OUTBOX,
    QUEUES,
    DEAD_LETTERS,
    STRATEGY_LOCKS,
    FIREARMS_LICENCES,
    KPI_DEFINITIONS,
    KPI_CORRIDORS,
    KILL_SWITCHES,
    TEMPERATURE_FLOORS,
    TEMPERATURE_CEILINGS,
    TEMPERATURE_WEIGHTS,
    TEMPERATURE_SNAPSHOTS,
    SEO_PAGES,
    ANALYTICS_CONFIGS,
    ANALYTICS_EVENTS,
    TRAINING_PREFERENCES,
    PROGRESS,
    REPAIRS,
    KEYS,
    *COUNTED,
)


async def addresses_of(store: DocumentStore, scope: Scope) -> list[Address]:
    """Where the tenant's records lie, the roll-ups before the usage that tells where they are."""
    usage = await Collection(store, USAGE_EVENTS, UsageEvent).find(scope)
    moments = [stored.record.created_at for stored in usage]
    rollups = {rollups_of(level, bucket(moment, level)) for moment in moments for level in SLOTS}
    return [*ALWAYS, *rollups, USAGE_EVENTS]
