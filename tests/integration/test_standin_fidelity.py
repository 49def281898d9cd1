"""What the stand-ins take and the clouds do not. Each test pins a row of the fidelity table in PRODUCTION.md.

A stand-in that becomes stricter fails here: then its row is to be taken out.
"""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import obstore
import pytest
from google.cloud.bigquery import QueryJobConfig
from google.cloud.firestore import AsyncClient
from google.cloud.firestore_v1.base_query import FieldFilter
from obstore.store import S3Store

from engines.storage.firestore_client import close_client, open_client
from tests.contracts.event_sink import START, tenant
from tests.integration.conftest import PROJECT
from tests.support.bigquery import DATASET, BigQuery, client_of
from tests.support.docker import Firestore
from tests.support.object_stores import KEYS, ObjectStore, cloud_storage, s3

__all__ = ["tenant"]


@pytest.fixture(scope="module")
def gcs() -> Iterator[ObjectStore]:
    with cloud_storage() as running:
        yield running


@pytest.fixture(scope="module")
def s3_store() -> Iterator[ObjectStore]:
    with s3() as running:
        yield running


async def test_firestore_demands_no_index(client: AsyncClient, tenant: str) -> None:
    notes = client.collection(f"unindexed_{tenant}")
    await notes.document("a").set({"kind": "x", "at": 1, "size": 2})
    query = notes.where(filter=FieldFilter("kind", "==", "x")).order_by("at").order_by("size")
    assert [found.id for found in await query.get()] == ["a"]


async def test_firestore_asks_nobody_who_they_are(
    emulator: Firestore, client: AsyncClient, tenant: str
) -> None:
    await client.document(f"secret_{tenant}/a").set({"text": "of a tenant"})
    url = f"http://{emulator.host}/v1/projects/{PROJECT}/databases/(default)/documents/secret_{tenant}/a"
    async with httpx.AsyncClient() as anybody:
        found = await anybody.get(url)
    assert found.json()["fields"] == {"text": {"stringValue": "of a tenant"}}


async def test_firestore_has_every_project(emulator: Firestore, tenant: str) -> None:
    elsewhere = open_client("a-project-that-nobody-made", emulator.host)
    await elsewhere.document(f"anything_{tenant}/a").set({"x": 1})
    assert (await elsewhere.document(f"anything_{tenant}/a").get()).exists
    await close_client(elsewhere)


async def test_firestore_takes_rising_times_in_a_new_collection_without_a_limit(
    client: AsyncClient, tenant: str
) -> None:
    notes: Any = client.collection(f"rising_{tenant}")
    for part in range(4):
        batch = client.batch()
        for number in range(500 * part, 500 * (part + 1)):
            batch.set(notes.document(f"{number:05}"), {"at": START + timedelta(seconds=number)})
        await batch.commit(retry=None, timeout=20)
    [[counted]] = await notes.count().get()
    assert counted.value == 2000


async def test_firestore_counts_no_index_entries(client: AsyncClient, tenant: str) -> None:
    document = client.document(f"wide_{tenant}/a")
    await document.set({"keys": {str(key): 0 for key in range(20_001)}}, retry=None, timeout=20)
    assert (await document.get()).exists


async def test_row_18_firestore_takes_a_list_of_more_elements_than_the_cloud_indexes(
    client: AsyncClient, tenant: str
) -> None:
    document = client.document(f"long_{tenant}/a")
    await document.set({"list": [0] * 45_000}, retry=None, timeout=20)
    assert (await document.get()).exists


async def test_row_18_firestore_takes_more_entries_of_composite_indexes_than_the_cloud(
    client: AsyncClient, tenant: str
) -> None:
    """Each index of the collection adds one; the engines leave room for ten."""
    document = client.document(f"full_{tenant}/a")
    await document.set({str(key): 0 for key in range(20_000)} | {"at": START}, retry=None, timeout=20)
    assert (await document.get()).exists


@pytest.fixture
def rows(stand_in: BigQuery, tenant: str) -> Iterator[Any]:
    """A client, and a table with a row that was streamed a moment ago."""
    name = f"{PROJECT}.{DATASET}.fidelity_{tenant}"
    with client_of(stand_in.url) as client:
        client.query_and_wait(f"CREATE TABLE `{name}` (id STRING)")
        assert client.insert_rows_json(name, [{"id": "a"}], ["a"]) == []
        yield client, name
        client.delete_table(name)


def test_bigquery_deletes_what_was_streamed_a_moment_ago(rows: Any) -> None:
    client, name = rows
    client.query_and_wait(f"DELETE FROM `{name}` WHERE TRUE")
    assert client.query_and_wait(f"SELECT * FROM `{name}`").total_rows == 0


def test_bigquery_bills_nothing_and_knows_no_limit_on_bytes(rows: Any) -> None:
    client, name = rows
    job = client.query(f"SELECT * FROM `{name}`", job_config=QueryJobConfig(maximum_bytes_billed=1))
    assert job.result().total_rows == 1
    assert not job.total_bytes_billed


def test_bigquery_grants_every_right_to_everybody(rows: Any) -> None:
    client, name = rows
    asked = ["bigquery.tables.updateData", "bigquery.tables.delete", "bigquery.nothing.likeThis"]
    assert client.test_iam_permissions(name, asked)["permissions"] == asked


DIGITS = [0.2002386475503002, 0.1234567890123456, 0.12345678901234568, 1e22 / 3, 5e-324]


def test_row_18_bigquery_takes_and_keeps_a_float_of_any_digits(rows: Any) -> None:
    client, name = rows
    client.query_and_wait(f"CREATE TABLE `{name}_json` (value JSON)")
    assert client.insert_rows_json(f"{name}_json", [{"value": json.dumps(DIGITS)}]) == []
    [found] = client.query_and_wait(f"SELECT TO_JSON_STRING(value) AS value FROM `{name}_json`")
    assert json.loads(found.value) == DIGITS
    client.delete_table(f"{name}_json")


def test_cloud_storage_asks_nobody_who_they_are(gcs: ObjectStore, tenant: str) -> None:
    upload = f"{gcs.url}/upload/storage/v1/b/datasets/o?uploadType=media&name={tenant}/a"
    assert httpx.post(upload, content=b"x").status_code == 200
    assert tenant in httpx.get(f"{gcs.url}/storage/v1/b/datasets/o").text


def test_cloud_storage_forgets_the_create_only_condition_of_a_media_upload(
    gcs: ObjectStore, tenant: str
) -> None:
    """The sink uploads multipart, where it holds: see the contract suite."""
    upload = f"{gcs.url}/upload/storage/v1/b/datasets/o?uploadType=media&name={tenant}&ifGenerationMatch=0"
    assert [httpx.post(upload, content=body).status_code for body in (b"first", b"second")] == [200, 200]
    assert httpx.get(f"{gcs.url}/storage/v1/b/datasets/o/{tenant}?alt=media").text == "second"


def bucket(store: ObjectStore, name: str) -> S3Store:
    key, secret = KEYS["AWS_ACCESS_KEY_ID"], KEYS["AWS_SECRET_ACCESS_KEY"]
    return S3Store(
        name,
        config={
            "endpoint": store.url,
            "access_key_id": key,
            "secret_access_key": secret,
            "region": "us-east-1",
        },
        client_options={"allow_http": True},
    )


def test_s3_makes_a_bucket_that_is_missing(s3_store: ObjectStore, tenant: str) -> None:
    missing = bucket(s3_store, f"missing-{tenant.replace('_', '-')}")
    obstore.put(missing, "a", b"x")
    assert bytes(obstore.get(missing, "a").bytes()) == b"x"


def test_s3_has_one_key_pair_that_may_do_everything(s3_store: ObjectStore, tenant: str) -> None:
    raw = bucket(s3_store, "raw")
    obstore.put(raw, tenant, b"first")
    obstore.put(raw, tenant, b"over it")
    obstore.delete(raw, tenant)
    assert not [item for page in obstore.list(raw, prefix=tenant) for item in page]
