#!/usr/bin/env python3
"""hand_written.py CONFIG.json SOURCE DESTINATION [PROCESSES]: what a careful person would write by hand.

The same dataset as the converter makes of mooring files, with xarray and pyarrow: whole-column polygons (each tile is
encoded once), two processes, no cluster. It is what the converter is measured against, so it is kept fast and fair:
only the columns of the config are read, nothing is done row by row, and each object is written once.
"""
import json
import multiprocessing
import os
import re
import struct
import sys
from urllib.parse import quote

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import xarray as xr

TYPES = {
    "timestamp[ns]": pa.timestamp("ns"), "double": pa.float64(), "float64": pa.float64(), "float": pa.float32(), "float32": pa.float32(),
    "string": pa.string(), "int8": pa.int8(), "int16": pa.int16(), "int32": pa.int32(), "int64": pa.int64(), "byte": pa.binary(),
}


def polygon(lon, lat, d):
    x0, x1, y0, y1 = lon - d, lon + d, lat - d, lat + d
    ring = (x0, y0, x1, y0, x1, y1, x0, y1, x0, y0)
    return struct.pack("<BIII10d", 1, 3, 1, 5, *ring).hex().upper()


class Job:
    def __init__(self, config, destination):
        change = config["schema_transformation"]
        self.schema = dict(config["schema"])
        self.added = change["add_variables"]
        for name, entry in self.added.items():
            self.schema[name] = entry["schema"]
        self.parts = change["partitioning"]
        self.time = next(p["time_extent"] for p in self.parts if "time_extent" in p)
        self.space = next(p["spatial_extent"] for p in self.parts if "spatial_extent" in p)
        self.root = os.path.join(destination, config["dataset_name"] + ".parquet")

    def convert(self, path):
        name = os.path.basename(path)
        wanted = [n for n in self.schema if n not in self.added]
        with xr.open_dataset(path) as ds:
            ds = ds[[n for n in wanted if n in ds.variables]].load()
            rows = ds.sizes["TIME"]
            frame = {n: np.broadcast_to(ds[n].values, rows) if ds[n].ndim == 0 else ds[n].values for n in ds.variables}
            constants = {}
            for n, entry in self.added.items():
                if entry["source"] == "@filename":
                    constants[n] = name
                elif entry["source"].startswith("@global_attribute:"):
                    constants[n] = ds.attrs.get(entry["source"].split(":", 1)[1])
        return self.store(name, frame, constants, rows)

    def store(self, name, frame, constants, rows):
        """Writes columns (numpy, or Arrow already) and values that are the same in all rows."""
        time = pd.DatetimeIndex(frame[self.time["time_varname"]])
        slices = time.to_period(self.time["partition_period"]).start_time.as_unit("ns").asi8 // 10**9
        lon, lat = (np.asarray(frame[self.space[k]], float) for k in ("lon_varname", "lat_varname"))
        d = float(self.space["spatial_resolution"])
        good = (slices >= -2208988800) & (np.abs(lat) <= 90) & (np.abs(lon) <= 180)
        # Each kind of key is made small first: sorting rows of three floats would take most of the time.
        parts = [np.unique(k[good], return_inverse=True) for k in (slices, np.trunc(lon / d) * d, np.trunc(lat / d) * d)]
        code = np.zeros(int(good.sum()), np.int64)
        for values, index in parts:
            code = code * len(values) + index
        codes, index = np.unique(code, return_inverse=True)
        columns, fields = [], []
        partition_columns = {p["source_variable"] for p in self.parts}
        for n, entry in self.schema.items():
            if n in partition_columns:
                continue
            kind = TYPES[entry["type"]]
            if n in constants:
                column = pa.repeat(pa.scalar(constants[n], kind), rows)
            elif n in frame:
                column = frame[n] if isinstance(frame[n], (pa.Array, pa.ChunkedArray)) else pa.array(frame[n], from_pandas=True)
                column = column.cast(kind)
            else:
                column = pa.nulls(rows, kind)
            columns.append(column)
            fields.append(pa.field(n, kind))
        table = pa.Table.from_arrays(columns, schema=pa.schema(fields))
        if not good.all():
            table = table.filter(pa.array(good))
        ends = np.cumsum(np.bincount(index, minlength=len(codes)))
        if len(codes) > 1 and (np.diff(index) < 0).any():
            table = table.take(pa.array(np.argsort(index, kind="stable")))
        for g, code in enumerate(codes):
            start = ends[g - 1] if g else 0
            keys = []
            for values, _ in reversed(parts):
                code, key = divmod(code, len(values))
                keys.insert(0, values[key])
            folders = []
            for p in self.parts:
                key = p["source_variable"]
                if "time_extent" in p:
                    value = str(int(keys[0]))
                elif "spatial_extent" in p:
                    value = polygon(keys[1], keys[2], d)
                else:
                    value = quote(str(constants[key]), safe="-._~")
                folders.append(f"{key}={value}")
            folder = os.path.join(self.root, *folders)
            os.makedirs(folder, exist_ok=True)
            part = table.slice(start, ends[g] - start)
            pq.write_table(part, os.path.join(folder, f"{name}-0.parquet"), row_group_size=20_000, compression="snappy")
        return int(good.sum())

    def sidecar(self):
        os.makedirs(self.root, exist_ok=True)
        fields = [pa.field(n, TYPES[e["type"]], metadata={k: str(v) for k, v in e.items()}) for n, e in self.schema.items()]
        metadata = {n: repr(e) for n, e in self.schema.items()}
        pq.write_metadata(pa.schema(fields, metadata=metadata), os.path.join(self.root, "_common_metadata"))


def main():
    config, source, destination = sys.argv[1:4]
    processes = int(sys.argv[4]) if len(sys.argv) > 4 else 2
    pa.set_cpu_count(1)
    job = Job(json.load(open(config)), destination)
    paths = sorted(os.path.join(r, f) for r, _, fs in os.walk(source) for f in fs if re.search(r"\.nc$", f))
    if len(paths) == 1:
        rows = job.convert(paths[0])
    else:
        with multiprocessing.Pool(processes) as pool:
            rows = sum(pool.imap_unordered(job.convert, paths, chunksize=4))
    job.sidecar()
    print(rows)


if __name__ == "__main__":
    main()
