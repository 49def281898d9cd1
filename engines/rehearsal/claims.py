"""Every claim of a rehearsal, with what is expected, in the order in which they are looked into."""

Section = str
"""A section of the dashboard, by its name under ``freshness``."""


LIMIT_SECONDS = 10.0
"""How long what was written may take until it is visible and fresh."""

OWNER = "sign-up makes an owner"
GATED = "without an approved lock nothing can be set"
LOCK = "a lock is requested and approved"
SET_UP = "the set-up is accepted"
LICENCE = "the licence decides on dangerous actions"
SWITCH = "the kill switch blocks its provider"
ACCEPTED = "events are accepted into the sink"
FLAGGED = "personal data is flagged in the answers"
SINK_UP = "the event sink is up"
HEALTHY = "the tenant is healthy"
HELD = "the sink holds every event once, marked as synthetic"
STORED = "stored flags and train_ok are right"
COLLEAGUE = "the second member sees the same"
VIEWER = "a viewer sees and changes nothing"
MEMBER = "a plain member sees and sets nothing"
PENDING = "a pending membership opens nothing"
REVOKED = "a revoked membership opens nothing"
NEIGHBOUR = "another tenant sees and changes nothing"
OTHER_ENV = "another env shows nothing of this one"
NO_ENV = "a request without an env is refused"
NO_TOKEN = "a request without a token is refused"
WRONG_KEY = "a token of another key is refused"
UNSIGNED = "an unsigned token is refused"
EXPIRED = "an expired token is refused"
UNCHANGED = "none of it changed anything"
UNMOVED = "another tenant's freshness did not move"

SECTIONS: dict[Section, str] = {
    "strategy_locks": "the approved lock among the active ones",
    "temperature": "floors, ceilings, weights and a current value",
    "kpi": "definition and corridor",
    "budget": "one usage event of 0.10",
    "firearms": "the issued licence among the active ones",
    "analytics": "configuration, page and the newest arrivals",
    "training_prefs": "the tenant in, one user out",
    "kill_switch": "the disabled provider",
    "events": "the newest event, read from the sink",
}


def visible(section: Section) -> str:
    """Name of the claim that a section is shown."""
    return f"{section} is visible and fresh"


def plan() -> dict[str, str]:
    """What is expected of each claim."""
    refused = "refused with {}, to read and to write"
    return {
        OWNER: "an active membership of role owner, in a new tenant",
        GATED: "409 strategy_lock_required, without a lock and with a draft",
        LOCK: "draft, then approved",
        SET_UP: "every request is answered 200",
        LICENCE: "allowed with a licence, 403 without",
        SWITCH: "403 kill_switch_blocked",
        ACCEPTED: "3 events accepted, durable in the sink",
        FLAGGED: "none, email, none",
        **{visible(name): f"{what}, within {LIMIT_SECONDS:.0f} s" for name, what in SECTIONS.items()},
        SINK_UP: "status up, nothing waits, nothing refused",
        HEALTHY: "status pass, freshness fresh",
        HELD: "each of the 3 ids once, of this tenant and env",
        STORED: "clean: true; with an e-mail address: false; opted out: false",
        COLLEAGUE: "an admin who joined reads the owner's dashboard",
        VIEWER: refused.format("403"),
        MEMBER: refused.format("403"),
        PENDING: refused.format("403"),
        REVOKED: refused.format("403") + ", with a token taken since",
        NEIGHBOUR: refused.format("403"),
        OTHER_ENV: "every section is never, no event",
        NO_ENV: refused.format("400"),
        NO_TOKEN: refused.format("401"),
        WRONG_KEY: refused.format("401"),
        UNSIGNED: refused.format("401"),
        EXPIRED: refused.format("401"),
        UNCHANGED: "the same dashboard and the same events as before",
        UNMOVED: "every section of the neighbour is never, as before",
    }
