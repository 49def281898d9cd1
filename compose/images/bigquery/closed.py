"""SQL that reaches tables alone: DuckDB behind local-bigquery would read files, write files and fetch URLs.

DuckDB itself is closed but for the data folder, where its tables are. BigQuery's SQL knows no function or
statement that names a file, so those are not found. What names an object (`gs://`) stays below the folder.
"""

import functools
import re
from pathlib import Path

from local_bigquery.engine import database
from local_bigquery.errors import BigQueryError
from local_bigquery.jobs import storage
from local_bigquery.settings import settings
from local_bigquery.sql import rules
from sqlglot import exp

EXTENSIONS = ("icu", "json", "ducklake", "spatial", "avro")
"""Loaded before it is closed: afterwards none can be."""

DUCKDB_ONLY = re.compile(
    r"(read|parquet|sniff|ducklake|duckdb|pragma|sqlite|postgres|mysql)_\w+|st_read(_\w+)?|st_drivers"
    r"|glob|query|query_table|which_secret|getenv",
    re.IGNORECASE,
)
FILE_STATEMENTS = (exp.Attach, exp.Copy, exp.Detach, exp.Pragma)
FILE_COMMANDS = {"LOAD", "INSTALL", "IMPORT", "EXPORT", "CHECKPOINT"}
PROJECT = re.compile(r"[\w-][\w.:-]*")

connect, attach, local = database._connect, database._attach, storage._local


@functools.cache
def connect_closed():
    """The one database, closed for everything outside the data folder, for good."""
    connection = connect()
    for name in EXTENSIONS:
        connection.load_extension(name)
    connection.execute(f"SET allowed_directories = ['{settings.data_dir}/']")
    connection.execute("SET enable_external_access = false; SET lock_configuration = true")
    return connection


def attach_below_the_folder(connection, project_id):
    """A project's files carry its name."""
    if not PROJECT.fullmatch(project_id):
        raise BigQueryError("invalid", f"Invalid project ID: {project_id}")
    attach(connection, project_id)


def local_below_the_folder(uri):
    """Where an object lies. Other URIs are no objects."""
    root = (settings.gcs_local_root or settings.data_dir / "gcs").resolve()
    if not uri.startswith("gs://") or not Path(local(uri)).resolve().is_relative_to(root):
        raise BigQueryError("invalid", f"Not an object of this stand-in: {uri}")
    return local(uri)


def tables_alone(tree, _context):
    """Refuse what DuckDB has and BigQuery has not."""
    for node in tree.walk():
        if isinstance(node, FILE_STATEMENTS) or (
            isinstance(node, exp.Command) and node.name.upper() in FILE_COMMANDS
        ):
            raise BigQueryError("invalidQuery", f"Statement not supported: {node.sql()[:100]}")
        if isinstance(node, exp.Func) and DUCKDB_ONLY.fullmatch(name_of(node)):
            raise BigQueryError("invalidQuery", f"Function not found: {name_of(node)}")
    return tree


def name_of(function):
    """As it was written, or as sqlglot knows it."""
    return function.name if isinstance(function, exp.Anonymous) else function.sql_name()


def close():
    """From now on, for every connection."""
    database._connect = connect_closed
    database._attach = attach_below_the_folder
    storage._local = local_below_the_folder
    rules.STATEMENT_RULES.insert(0, tables_alone)
