#!/usr/bin/env python3
"""hand_table.py pandas|polars CONFIG.json SOURCE DESTINATION [THREADS]: hand_written.py for a CSV file.

The types of the config are given to the reader, so that nothing is guessed; the rest is what the others do: periods,
tiles, partitions, Snappy.
"""
import json
import os
import sys

THREADS = sys.argv[5] if len(sys.argv) > 5 else "2"
os.environ["POLARS_MAX_THREADS"] = THREADS

import pyarrow as pa  # noqa: E402
from hand_written import Job  # noqa: E402

PANDAS = {"int32": "Int32", "int64": "Int64", "float": "float32", "double": "float64", "string": "str"}


def with_pandas(path, schema, options):
    import pandas as pd

    times = [n for n, e in schema.items() if e["type"].startswith("timestamp")]
    types = {n: PANDAS[e["type"]] for n, e in schema.items() if n not in times}
    frame = pd.read_csv(path, sep=options.get("delimiter", ","), dtype=types, parse_dates=times, engine="c")
    return {n: pa.array(frame[n], from_pandas=True) if types.get(n) in ("str", "Int32", "Int64") else frame[n].to_numpy() for n in schema}


def with_polars(path, schema, options):
    import polars as pl

    types = {"int32": pl.Int32, "int64": pl.Int64, "float": pl.Float32, "double": pl.Float64, "string": pl.String}
    given = {n: pl.Datetime("ns") if e["type"].startswith("timestamp") else types[e["type"]] for n, e in schema.items()}
    frame = pl.read_csv(path, separator=options.get("separator", ","), schema_overrides=given, null_values=options.get("null_values"))
    return {n: frame[n].to_numpy() if given[n] in (pl.Float64, pl.Datetime("ns")) else frame[n].to_arrow() for n in schema}


def main():
    which, config, source, destination = sys.argv[1:5]
    pa.set_cpu_count(int(THREADS))
    config = json.load(open(config))
    job = Job(config, destination)
    options = config["csv_config"].get(f"{which}_read_csv_config", {})
    rows = 0
    for name in sorted(os.listdir(source)):
        read = with_pandas if which == "pandas" else with_polars
        frame = read(os.path.join(source, name), config["schema"], options)
        length = len(next(iter(frame.values())))
        rows += job.store(name, frame, {"filename": name}, length)
    job.sidecar()
    print(rows)


if __name__ == "__main__":
    main()
