"""Cost of goods: spend of the last 30 days per provider against known credits, all surfaces."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel

from engines.budget.models import UsageEvent
from engines.budget.summary import BudgetSummary, Group, Totals

WINDOW_DAYS = 30
AZURE = "azure"

PRICES = {"vertex/gemini-1.5-flash-002": Decimal("0.0000015")}
"""US dollars per token."""


class ProviderCogs(BaseModel):
    """Credits and spend of one provider."""

    credits_usd: float | None = None
    spend_usd: float
    estimated_remaining: float | None = None


class UnconfiguredCogs(ProviderCogs):
    """A provider that is always shown and has no usage."""

    note: Literal["azure_not_configured"] = "azure_not_configured"


class Cogs(BaseModel):
    """Dashboard key ``cogs``."""

    providers: dict[str, UnconfiguredCogs | ProviderCogs]
    provider_summary: BudgetSummary
    model_summary: BudgetSummary


def cogs(totals: Totals, credit_priors: Mapping[str, Decimal] | None = None) -> Cogs:
    """Group the totals of WINDOW_DAYS twice. ``credit_priors``: dollars by lower-case provider."""
    priors = credit_priors or {}
    providers: dict[str, UnconfiguredCogs | ProviderCogs] = {
        name: _provider(group, priors.get(name.lower())) for name, group in totals.groups("provider").items()
    }
    providers.setdefault(AZURE, UnconfiguredCogs(spend_usd=0.0))
    return Cogs(
        providers=providers,
        provider_summary=totals.summary("provider"),
        model_summary=totals.summary("model_or_plan_id"),
    )


def _provider(group: Group, prior: Decimal | None) -> ProviderCogs:
    if prior is None:
        return ProviderCogs(spend_usd=float(group.cost))
    remaining = float(prior - group.cost)
    return ProviderCogs(credits_usd=float(prior), spend_usd=float(group.cost), estimated_remaining=remaining)


def event_cost(event: UsageEvent) -> Decimal:
    """Cost of one event by the price table, else its own. No summary uses it."""
    price = PRICES.get(f"gcp/{event.model_or_plan_id}") if event.provider == "gcp" else None
    return event.cost if price is None else (event.tokens_input + event.tokens_output) * price
