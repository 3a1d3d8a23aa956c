"""Reads CSV files as pandas and polars read them, for a comparison value by value.

read_csv.py CASES.json

CASES.json is a list of {file, reader, options, schema, out}. For each one a Parquet file `out` is written, in the types
that the incumbent's pandas 2.3 gives (objects as text, times in nanoseconds); printed is a list with null for a case that
was read, and the error's text for one that was not.
"""

import json
import sys
import warnings

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

POLARS = {
    "int8": pl.Int8,
    "int16": pl.Int16,
    "int32": pl.Int32,
    "int64": pl.Int64,
    "uint8": pl.UInt8,
    "uint16": pl.UInt16,
    "uint32": pl.UInt32,
    "uint64": pl.UInt64,
    "float": pl.Float32,
    "double": pl.Float64,
    "string": pl.String,
    "bool": pl.Boolean,
    "timestamp[ns]": pl.Datetime("ns"),
    "date32[day]": pl.Date,
}


def read_pandas(case: dict) -> pa.Table:
    # pandas 3 makes a type of its own of text; objects are what pandas 2 made.
    if pd.__version__ >= "3":
        pd.set_option("future.infer_string", False)
    frame = pd.read_csv(case["file"], **case["options"])
    if not isinstance(frame.index, pd.RangeIndex):
        names = list(frame.columns)
        frame = frame.reset_index()
        with open(case["file"], "rb") as source:
            frame = frame[sorted(frame.columns, key=lambda name: position(source.name, case, name, names))]
    return pa.Table.from_pandas(frame, preserve_index=False)


def position(file: str, case: dict, name: str, names: list) -> int:
    """The place of a column in the file: the index stands where it was."""
    options = {key: value for key, value in case["options"].items() if key not in ("index_col", "parse_dates")}
    order = list(pd.read_csv(file, **options).columns)
    return order.index(name) if name in order else len(names)


def read_polars(case: dict) -> pa.Table:
    schema = {name: POLARS[kind] for name, kind in case["schema"].items()}
    frame = pl.read_csv(case["file"], schema_overrides=schema, **case["options"])
    return frame.select([name for name in frame.columns if name in schema]).to_arrow()


def plain(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_large_string(kind) or "string_view" in str(kind):
        return pa.string()
    if pa.types.is_timestamp(kind):
        return pa.timestamp("ns", kind.tz)
    return kind


def neutral(table: pa.Table) -> pa.Table:
    """One type for each kind of values, and NaN as a gap, whatever the library's version."""
    columns, fields = [], []
    for field, column in zip(table.schema, table.columns):
        kind = plain(field.type)
        column = column.cast(kind)
        if pa.types.is_floating(kind):
            column = pa.chunked_array([pa.array(chunk.to_numpy(zero_copy_only=False), kind, from_pandas=True) for chunk in column.chunks], kind)
        columns.append(column)
        fields.append(pa.field(field.name, kind))
    return pa.Table.from_arrays(columns, schema=pa.schema(fields))


def main() -> None:
    warnings.simplefilter("ignore")
    with open(sys.argv[1]) as source:
        cases = json.load(source)
    errors = []
    for case in cases:
        try:
            read = read_pandas if case["reader"] == "pandas" else read_polars
            pq.write_table(neutral(read(case)), case["out"], compression="none")
            errors.append(None)
        except Exception as error:  # noqa: BLE001 the libraries raise all kinds; each is an answer
            errors.append(f"{type(error).__name__}: {error}")
    print(json.dumps(errors))


main()
