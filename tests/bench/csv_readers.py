"""Times pandas and polars on a CSV file, for the reader's own bench (converter/examples/read_csv.rs).

csv_readers.py write FILE ROWS     writes the file: times, texts, floats with gaps, integers
csv_readers.py read FILE           reads it with both: wall time, processor time and speed
"""

import os
import sys
import time

import numpy as np
import pandas as pd
import polars as pl


def write(path: str, rows: int) -> None:
    random = np.random.default_rng(1)
    times = (np.datetime64("2010-01-01T00:00:00") + np.arange(rows) * np.timedelta64(37, "s")).astype("datetime64[ms]")
    sites = np.array(["Coral Bay", "Batavia 1", "NRSROT", "SYD140", "Lizard Island"])
    notes = np.array(["", "ok", "checked twice", "A69-1105-135"])
    temperature = pl.Series((random.random(rows) * 25).round(4))
    gaps = pl.Series(random.random(rows) < 0.02)
    frame = pl.DataFrame(
        {
            "time": pl.Series(times).dt.strftime("%Y-%m-%dT%H:%M:%S"),
            "site": pl.Series(sites[random.integers(0, 5, rows)]),
            "lat": (-45 + random.random(rows) * 30).round(5),
            "lon": (110 + random.random(rows) * 45).round(7),
            "depth": (random.random(rows) * 200).round(2),
            "temp": pl.select(pl.when(gaps).then(None).otherwise(temperature)).to_series(),
            "flag": random.integers(0, 9, rows),
            "count": random.integers(0, 10**7, rows),
            "note": pl.Series(notes[random.integers(0, 4, rows)]),
        }
    )
    frame.write_csv(path)


def measure(name: str, path: str, read) -> None:
    wall, used = time.perf_counter(), os.times()
    rows = len(read())
    wall, after = time.perf_counter() - wall, os.times()
    processor = after.user + after.system - used.user - used.system
    print(f"{name}: {rows} rows, {wall:.2f} s, {processor:.2f} s of processor, {os.path.getsize(path) / 1e6 / wall:.0f} MB/s")


def main() -> None:
    path = sys.argv[2]
    if sys.argv[1] == "write":
        return write(path, int(sys.argv[3]))
    for _ in range(3):
        measure("polars", path, lambda: pl.read_csv(path))
        measure("polars with times", path, lambda: pl.read_csv(path, try_parse_dates=True))
    measure("pandas with times", path, lambda: pd.read_csv(path, parse_dates=["time"]))


main()
