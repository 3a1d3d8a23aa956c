"""Reads a Parquet dataset as its users do, with pyarrow on S3 and with DuckDB, and says what is in it, as JSON.

read_dataset.py BUCKET/PREFIX/DATASET.parquet
"""

import hashlib
import json
import os
import sys
import tempfile

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from pyarrow import fs


def main() -> None:
    place = sys.argv[1]
    store = fs.S3FileSystem(
        endpoint_override=os.environ["S3_ENDPOINT"],
        region=os.environ.get("AWS_REGION", "us-east-1"),
    )
    dataset = ds.dataset(place, filesystem=store, format="parquet", partitioning="hive")
    table = dataset.to_table()
    fragments = list(dataset.get_fragments())
    schemas = [fragment.physical_schema for fragment in fragments]
    sidecar = pq.read_schema(f"{place}/_common_metadata", filesystem=store)
    partitions = set(table.column_names) - set(schemas[0].names)
    columns = [name for name in schemas[0].names if name not in partitions]
    # The sidecar may name the partition columns too; the objects do not hold them.
    sidecar = pa.schema([field for field in sidecar if field.name in columns])
    print(
        json.dumps(
            {
                "pyarrow": {"rows": counts(table.column("filename"))},
                "duckdb": {"rows": with_duckdb(store, place, fragments)},
                "schemas": len({described(schema) for schema in [*schemas, sidecar]}),
                "columns": columns,
                "duplicates": table.num_rows - table.group_by(table.column_names).aggregate([]).num_rows,
                "content": content(table),
            }
        )
    )


def described(schema: pa.Schema) -> str:
    return "\n".join(f"{field.name}: {field.type}" for field in schema)


def counts(column: pa.ChunkedArray) -> dict:
    return {str(entry["values"]): entry["counts"] for entry in pc.value_counts(column).to_pylist()}


def content(table: pa.Table) -> dict:
    """Equal hashes: equal rows."""
    hashes = {}
    frame = table.to_pandas()
    frame = frame.sort_values(["filename", *(name for name in ("TIME", "JULD") if name in frame)])
    for name, rows in frame.groupby("filename", observed=True):
        hashes[str(name)] = hashlib.sha256(rows.to_csv(index=False).encode()).hexdigest()
    return hashes


def with_duckdb(store: fs.FileSystem, place: str, fragments: list) -> dict:
    """DuckDB reads a copy: its S3 client is an extension that would have to be downloaded."""
    with tempfile.TemporaryDirectory() as folder:
        for fragment in fragments:
            path = os.path.join(folder, os.path.relpath(fragment.path, place))
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with store.open_input_stream(fragment.path) as source, open(path, "wb") as target:
                target.write(source.read())
        # Without union_by_name it takes the first object's schema for all of them and refuses another one.
        rows = duckdb.sql(
            f"SELECT filename, count(*) FROM read_parquet('{folder}/**/*.parquet', hive_partitioning = true) GROUP BY filename"
        ).fetchall()
    return {name: count for name, count in rows}


main()
