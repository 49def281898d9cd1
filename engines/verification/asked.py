"""What a command of verification is asked for."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Asked:
    """Whose records, of which env (None: every one), from when on (None: all)."""

    tenant_id: str
    env: str | None = None
    since: datetime | None = None
