"""Reads datasets on disk as their users do, with pyarrow and with DuckDB: a folder a line in, a JSON object a line out."""

import ast
import json
import os
import sys

import duckdb
import pyarrow.dataset as ds
import pyarrow.parquet as pq


def blind(path):
    """Columns with values that pyarrow knows no extremes of, and so cannot skip row groups by."""
    metadata = pq.read_metadata(path)
    chunks = [metadata.row_group(g).column(c) for g in range(metadata.num_row_groups) for c in range(metadata.num_columns)]
    return {
        chunk.path_in_schema
        for chunk in chunks
        if chunk.physical_type != "BOOLEAN" and chunk.statistics.null_count < chunk.num_values and not chunk.statistics.has_min_max
    }


def described(folder):
    objects = [os.path.join(r, f) for r, _, fs in os.walk(folder) for f in sorted(fs) if f.endswith(".parquet")]
    schemas = [pq.read_schema(path) for path in objects]
    sidecar = pq.read_schema(os.path.join(folder, "_common_metadata"))
    table = ds.dataset(objects, format="parquet", schema=schemas[0]).to_table()
    hive = ds.dataset(folder, format="parquet", partitioning="hive").to_table()
    sql = duckdb.connect()
    counted = sql.execute(
        f"SELECT count(*) FROM read_parquet('{folder}/**/*.parquet', hive_partitioning = true, union_by_name = true)"
    ).fetchone()[0]
    types = {field.name: str(field.type) for field in sidecar}
    partitions = [name for name in hive.column_names if name not in table.column_names]
    wrong = sorted(
        {
            f"{field.name}: {field.type}, the sidecar says {types.get(field.name)}"
            for schema in schemas
            for field in schema
            if types.get(field.name) != str(field.type)
        }
    )
    missing = sorted({name for name in types for schema in schemas if name not in schema.names} - set(partitions))
    attributes = {k.decode(): ast.literal_eval(v.decode()) for k, v in sidecar.metadata.items() if k != b"ARROW:schema"}
    return {
        "objects": len(objects),
        "pyarrow": table.num_rows,
        "hive": hive.num_rows,
        "duckdb": counted,
        "columns": table.column_names,
        "partitions": partitions,
        "blind": sorted(set().union(*map(blind, objects))),
        "wrong": wrong,
        "missing": missing,
        "empty": [name for name in table.column_names if table.column(name).null_count == table.num_rows],
        "gaps": {name: table.column(name).null_count for name in table.column_names},
        "dataset_name": attributes["global_attributes"]["dataset_name"],
    }


for line in sys.stdin:
    print(json.dumps(described(line.rstrip("\n"))))
