"""After ``connect`` DuckDB touches nothing but its directory, and nobody can change that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from agent import schema
from agent.store import database
from agent.store.database import TABLES, connect, quoted
from agent.store.segment import Segment


@pytest.fixture
def inside(tmp_path) -> Path:
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside-not").mkdir()
    for place in ("outside.csv", "inside-not/outside.csv"):
        (tmp_path / place).write_text("a\n1\n")
    return tmp_path / "inside"


@pytest.fixture
def connection(inside):
    with connect(inside, 64 << 20, 1) as made:
        yield made


OUTSIDE = [
    "SELECT * FROM read_csv('{root}/outside.csv')",
    "SELECT * FROM '{root}/outside.csv'",
    "SELECT * FROM read_text('{root}/inside/../outside.csv')",
    "SELECT * FROM read_text('{root}/inside-not/outside.csv')",
    "SELECT * FROM read_blob('/etc/passwd')",
    "SELECT * FROM read_json('/etc/passwd')",
    "SELECT * FROM sniff_csv('{root}/outside.csv')",
    "SELECT * FROM glob('{root}/*')",
    "COPY (SELECT 1) TO '{root}/written.csv'",
    "COPY (SELECT 1) TO '{root}/written.parquet' (FORMAT parquet)",
    "EXPORT DATABASE '{root}/written'",
    "IMPORT DATABASE '{root}'",
    "ATTACH '{root}/written.duckdb' AS other",
    "ATTACH 'https://example.com/x.duckdb' AS other",
    "SELECT * FROM read_csv('https://example.com/x.csv')",
    "INSTALL httpfs",
    "INSTALL '{root}/x.duckdb_extension'",
    "LOAD httpfs",
    "LOAD '{root}/x.duckdb_extension'",
    "UPDATE EXTENSIONS",
    "CREATE SECRET (TYPE s3, KEY_ID 'k', SECRET 's')",
    "SELECT getenv('HOME')",
]


@pytest.mark.parametrize("text", OUTSIDE)
def test_nothing_outside_the_directory_can_be_read_written_attached_or_loaded(connection, inside, text):
    root = inside.parent
    before = sorted(root.rglob("*"))
    with pytest.raises(duckdb.Error):
        connection.execute(text.format(root=root)).fetchall()
    assert sorted(root.rglob("*")) == before


SETTINGS = [
    "SET enable_external_access = true",
    "SET GLOBAL memory_limit = '100GB'",
    "SET SESSION threads = 4",
    "SET lock_configuration = false",
    "SET allowed_directories = ['/']",
    "SET allowed_paths = ['/etc/passwd']",
    "SET temp_directory = '/tmp'",
    "SET python_enable_replacements = true",
    "SET autoload_known_extensions = true",
    "RESET lock_configuration",
    "RESET threads",
    "PRAGMA threads = 4",
    "PRAGMA enable_profiling",
    "CALL enable_logging()",
]


@pytest.mark.parametrize("text", SETTINGS)
def test_no_setting_can_be_changed_on_any_cursor(connection, text):
    for place in (connection, connection.cursor()):
        with pytest.raises(duckdb.Error):
            place.execute(text)


def test_a_python_variable_is_no_table(connection):
    secret = pa.table({"a": [1]})
    for text in ("SELECT * FROM secret", "SELECT * FROM NO_SUCH", "SELECT count(*) FROM schema"):
        with pytest.raises(duckdb.CatalogException):
            connection.cursor().execute(text)
    assert secret.num_rows == 1


def test_the_settings_that_keep_it_fast_and_private_are_on(connection, inside):
    def setting(name: str) -> Any:
        ((value,),) = connection.execute("SELECT current_setting(?)", [name]).fetchall()
        return value

    assert setting("memory_limit") == "64.0 MiB"
    assert setting("threads") == 1
    assert setting("late_materialization_max_rows") == 0
    assert setting("temp_directory") == str(inside / "tmp")
    assert not setting("allow_community_extensions")
    assert not setting("autoinstall_known_extensions")
    assert setting("wal_autocheckpoint") == "1.0 TiB"


@pytest.mark.parametrize("text", ["", "plain", "o'clock", "''", "' OR 1=1 --", 'quo"te', "grüße 🎉", "back\\slash"])
def test_a_quoted_text_is_itself(connection, text):
    assert connection.execute(f"SELECT {quoted(text)}").fetchall() == [(text,)]


def columns(connection: duckdb.DuckDBPyConnection, alias: str, table: str) -> list[tuple[str, str, str]]:
    text = (
        "SELECT column_name, data_type, is_nullable FROM information_schema.columns WHERE table_catalog = ? AND table_name = ?"
    )
    return connection.execute(f"{text} ORDER BY ordinal_position", [alias, table]).fetchall()


def test_a_segment_has_every_table_of_the_schema_and_no_key_or_index(connection, inside):
    segment = Segment("1_2_a", inside, 1, 2)
    database.attach(connection, segment)
    for table, wanted in TABLES.items():
        found = columns(connection, segment.alias, table)
        assert [name for name, _, _ in found] == wanted.names
        assert [nullable == "YES" for _, _, nullable in found] == [field.nullable for field in wanted]
    assert {schema.TABLE_NAMES[signal] for signal in schema.TABLES} <= set(TABLES)
    assert connection.execute("SELECT count(*) FROM duckdb_indexes()").fetchall() == [(0,)]
    kinds = connection.execute("SELECT DISTINCT constraint_type FROM duckdb_constraints()").fetchall()
    assert kinds == [("NOT NULL",)]
    database.detach(connection, segment)


@pytest.mark.parametrize("name", TABLES)
def test_a_table_takes_and_returns_rows_of_its_schema(connection, inside, name):
    segment = Segment("1_2_a", inside, 1, 2)
    database.attach(connection, segment)
    wanted = TABLES[name]
    row = {field.name: example(field) for field in wanted}
    empty = {field.name: None if field.nullable else example(field) for field in wanted}
    rows = pa.Table.from_pylist([row, empty], schema=wanted)
    database.insert(connection, segment, name, rows)
    names = ", ".join(wanted.names)
    assert connection.execute(f"SELECT {names} FROM {segment.alias}.{name}").fetchall() == [
        tuple(row.values()),
        tuple(empty.values()),
    ]


EXAMPLES: dict[pa.DataType, object] = {
    pa.int32(): -(2**31),
    pa.int64(): 2**63 - 1,
    pa.uint32(): 2**32 - 1,
    pa.uint64(): 2**64 - 1,
    pa.float64(): -0.5,
    pa.bool_(): True,
    pa.string(): "a\0b 🎉",
    pa.binary(): b"\x00\xff",
    pa.binary(16): b"\x00\xff" * 8,
}


def example(field: pa.Field) -> object:
    return [EXAMPLES[field.type.value_type]] * 2 if pa.types.is_list(field.type) else EXAMPLES[field.type]
