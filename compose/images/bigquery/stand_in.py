"""local-bigquery, closed for files and network (closed.py), and mended in three places where it would lose or
refuse what it should not.

It remembers an insertId before the row is stored, so that the next try of a failed insert is answered as
stored. It takes a failing disk for a faulty row. After a fatal error DuckDB answers nothing until it is
started again.
"""

import os
import sys
import threading

import closed
import duckdb
from local_bigquery import cli, errors
from local_bigquery.catalog import tabledata

NO_SPACE = "No space left on device"
DISK = ("IO Error", "TransactionContext Error: Failed to commit")
FULL = "insufficientStorage"

insert_all = tabledata.insert_all
insert = tabledata._insert
from_exception = errors.from_exception
one_insert = threading.Lock()
errors.STATUSES[FULL] = (507, "RESOURCE_EXHAUSTED")
errors.STATUSES["backendError"] = (500, "INTERNAL")


def insert_all_or_forget(project_id, dataset_id, table_id, body):
    """Insert, nobody beside: a repeated insertId waits for the first one's end. A failure forgets its own."""
    with one_insert:
        before = dict(tabledata._recent)
        try:
            return insert_all(project_id, dataset_id, table_id, body)
        except BaseException:
            tabledata._recent.clear()
            tabledata._recent.update(before)
            raise


def insert_unless_the_disk_fails(table, schema, rows):
    """Refuse rows for what they are only: where the disk fails, so does the whole insert."""
    refused = insert(table, schema, rows)
    for row in refused:
        message = row["errors"][0]["message"]
        if message.startswith(DISK) or NO_SPACE in message:
            raise duckdb.IOException(message)
    return refused


def told(error):
    """The error as BigQuery says it; a full disk has a status of its own."""
    if isinstance(error, duckdb.FatalException):
        print(f"DuckDB can't go on, so this process ends: {error}", file=sys.stderr, flush=True)
        os._exit(1)
    if isinstance(error, duckdb.Error) and NO_SPACE in str(error):
        return errors.BigQueryError(FULL, f"The disk of this stand-in is full: {error}")
    if isinstance(error, duckdb.Error) and str(error).startswith(DISK):
        return errors.BigQueryError("backendError", str(error))
    return from_exception(error)


tabledata.insert_all = insert_all_or_forget
tabledata._insert = insert_unless_the_disk_fails
for module in ("app", "jobs.runner"):
    sys.modules[f"local_bigquery.{module}"].from_exception = told
closed.close()

if __name__ == "__main__":
    project = os.environ.get("GOOGLE_CLOUD_PROJECT", "northstar-local")
    cli.main(["--host", "127.0.0.1", "--port", "9051", "--project", project, "--data-dir", "/data", "serve"])
