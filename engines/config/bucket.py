"""Where a bucket is, as DATASETS_BUCKET says it: ``gs://bucket[/prefix]`` or ``s3://bucket[/prefix]``."""

import re
from dataclasses import dataclass

ADDRESS = re.compile(r"(gs|s3)://([a-z0-9][a-z0-9._-]*[a-z0-9])((?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)*)/?")
LONGEST_PREFIX = 500
"""Bytes. An object's name has 1,024 on both clouds; a tenant, an env, an hour and the name follow."""

BARE = re.compile(r"[A-Za-z0-9._/-]+")


@dataclass(frozen=True)
class BucketAddress:
    """A bucket of ``gs`` or ``s3``; every name in it begins with ``prefix``: empty, or ending in /."""

    scheme: str
    bucket: str
    prefix: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.bucket}/{self.prefix}"


def is_bucket(text: str) -> bool:
    """Whether it is an address with its scheme."""
    return ADDRESS.fullmatch(text) is not None


def parse_bucket(text: str) -> BucketAddress:
    """Read an address; raises ValueError with the cure. What stands before a @ is never repeated."""
    found = ADDRESS.fullmatch(text)
    if found is None and BARE.fullmatch(text):
        raise ValueError(f"DATASETS_BUCKET={text} has no scheme: write gs://{text} or s3://{text}")
    if found is None:
        raise ValueError(
            "DATASETS_BUCKET is not usable: write gs://bucket or s3://bucket, lower case, "
            "with /prefix after it where events shall not lie at the top"
        )
    scheme, bucket, path = found.groups()
    if len(path) > LONGEST_PREFIX:
        raise ValueError(f"DATASETS_BUCKET: the prefix has more than {LONGEST_PREFIX} bytes")
    return BucketAddress(scheme, bucket, f"{path.lstrip('/')}/" if path else "")
