"""Which text of an event is searched for personal data."""

from engines.dataset.events.schemas import DatasetEvent


def scanned_text(event: DatasetEvent) -> str:
    """Strings at the top level of input, output and metadata, in that order, joined with single spaces."""
    values = [*event.input.values(), *event.output.values(), *event.metadata.values()]
    return " ".join(value for value in values if isinstance(value, str))
