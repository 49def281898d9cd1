"""The event sinks and the choice between them."""

from google.cloud.firestore import AsyncClient

from engines.config.bucket import BucketAddress, parse_bucket
from engines.config.runtime_config import Settings, SettingsError
from engines.nexus.backends.bigquery import open_bigquery
from engines.nexus.backends.firestore import FirestoreSink
from engines.nexus.backends.noop import NoopSink
from engines.nexus.backends.object_store import ObjectStoreSink
from engines.nexus.backends.object_store_bucket import Bucket
from engines.nexus.backends.object_store_gcs import open_gcs
from engines.nexus.backends.object_store_s3 import S3Access, open_s3
from engines.nexus.backends.sink import ErasableSink


def get_backend(settings: Settings, firestore: AsyncClient | None) -> ErasableSink:
    """The sink that NEXUS_BACKEND names; ``firestore`` is the process's client where it has one."""
    match settings.nexus_backend:
        case "firestore":
            assert firestore is not None, "Settings refuse the firestore sink without a project"
            return FirestoreSink(firestore, stand_in=settings.firestore_emulator_host is not None)
        case "bigquery":
            assert settings.gcp_project is not None, "Settings refuse the bigquery sink without a project"
            names = settings.gcp_project, settings.nexus_bq_dataset, settings.nexus_bq_table
            return open_bigquery(*names, settings.bigquery_emulator_host)
        case "object_store":
            return _object_store(settings)
        case "noop":
            return NoopSink()


def open_datasets(settings: Settings, below: str) -> tuple[Bucket, BucketAddress]:
    """The bucket that DATASETS_BUCKET names. Errors name it with ``below`` after it.

    Nothing is sent yet. The caller closes it; every name in it has to begin with the address's prefix.
    Raises SettingsError when there is none or its scheme is missing.
    """
    if settings.datasets_bucket is None:
        raise SettingsError("DATASETS_BUCKET is not set: set it to gs://bucket or s3://bucket")
    try:
        address = parse_bucket(settings.datasets_bucket)
    except ValueError as error:
        raise SettingsError(str(error)) from None
    target = f"{address}{below}"
    if address.scheme == "gs":
        return open_gcs(address, target, settings.gcp_project, settings.storage_emulator_host), address
    access = S3Access(
        settings.aws_default_region,
        settings.aws_endpoint_url,
        settings.aws_access_key_id,
        settings.aws_secret_access_key,
    )
    return open_s3(address, target, access), address


def _object_store(settings: Settings) -> ObjectStoreSink:
    bucket, address = open_datasets(settings, "{tenant}/")
    endpoint = settings.storage_emulator_host if address.scheme == "gs" else settings.aws_endpoint_url
    return ObjectStoreSink(bucket, address.prefix, f"{address}{{tenant}}/", stand_in=endpoint is not None)
