"""The receipt for people, in Markdown. Pure."""

from collections.abc import Iterable

from engines.rehearsal.receipt import Receipt

ESCAPED = str.maketrans({"|": "\\|", "\n": " ", "\r": " ", "<": "&lt;", "`": "'"})


def markdown(receipt: Receipt) -> str:
    """The whole receipt as one page."""
    sections = [
        [f"# Rehearsal {receipt.run}: {receipt.totals}"],
        _table(("What", "Value"), _facts(receipt)),
        ["## Claims"],
        _table(
            ("Verdict", "Claim", "Expected", "Seen", "Seconds"),
            ((c.verdict, c.name, c.expected, c.seen, f"{c.seconds:.2f}") for c in receipt.claims),
        ),
        ["## Time to first fresh"],
        _table(
            ("Section", "Seconds after its last write"),
            ((name, _seconds(value)) for name, value in receipt.time_to_first_fresh.items()),
        ),
        ["## Steps"],
        _table(
            ("After", "Request", "Status", "Seconds"),
            (
                (f"{s.after:.2f}", s.name, str(s.status or "no answer"), f"{s.seconds:.3f}")
                for s in receipt.steps
            ),
        ),
    ]
    return "\n\n".join("\n".join(lines) for lines in sections) + "\n"


def _facts(receipt: Receipt) -> Iterable[tuple[str, ...]]:
    sink, host, settings = receipt.sink, receipt.host, receipt.configuration
    yield "tenant", f"{receipt.name}, {receipt.tenant_id or 'none'}"
    yield "env", receipt.env
    yield "address", receipt.base_url + (" (this stack)" if receipt.local else " (another stack)")
    yield "began", f"{receipt.began_at:%Y-%m-%d %H:%M:%S} UTC"
    yield "total", f"{receipt.seconds:.1f} s"
    yield "sink", f"{sink.backend} ({sink.backend_class}), {sink.kind}, {sink.target}" if sink else "not seen"
    if host.own_bossman:
        yield "Bossman", f"an image of your own: {host.own_bossman}"
    yield "kit", f"{host.kit or 'unknown'}, project {host.project or 'unknown'}"
    yield "settings", f"{settings.fingerprint}: {', '.join(settings.names)}" if settings else "unknown"
    for service, image in sorted(host.images.items()):
        yield f"image {service}", image


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    lines = [_row(heads), _row(("---",) * len(heads))]
    return lines + [_row(tuple(cell.translate(ESCAPED) for cell in row)) for row in rows]


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.2f}"
