"""The event pipeline: scan, flag, decide eligibility, deliver."""

from engines.logging.events.pipeline import Eligibility, EventPipeline, PipelineResult, judge, refusal

__all__ = ["Eligibility", "EventPipeline", "PipelineResult", "judge", "refusal"]
