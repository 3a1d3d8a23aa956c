#!/usr/bin/env python3
"""hand_grids.py CONFIG.json SOURCE DESTINATION [PROCESSES]: what a careful person would write by hand for grids.

The same Zarr store as the converter makes, with xarray and dask on a cluster of worker processes. It is kept fast and
fair: pieces are whole chunks of the store, so that no file's value is read twice and no chunk is written twice; nothing is
compared between files; the source is read in its own chunks; no dashboard, no limit at which workers would spill. (With
the netCDF4 library workers crash now and then: it closes files in one thread while another reads.)
"""
import functools
import json
import os
import sys

import xarray as xr
from distributed import Client, LocalCluster
from numcodecs import Blosc

TYPES = {"float": "f8", "double": "f8", "float64": "f8", "float32": "f4", "int32": "i4"}


def typed(types, ds):
    return ds[list(types)].astype(types)


def main():
    config, source, destination = sys.argv[1:4]
    processes = int(sys.argv[4]) if len(sys.argv) > 4 else 2
    with open(config) as file:
        config = json.load(file)
    dimensions = config["schema_transformation"]["dimensions"].values()
    chunks = {d["name"]: d["chunk"] for d in dimensions}
    append = next(d["name"] for d in dimensions if d.get("append_dim"))
    types = {n: TYPES[e["type"]] for n, e in config["schema"].items() if n not in chunks}
    paths = sorted(os.path.join(r, f) for r, _, fs in os.walk(source) for f in fs if f.endswith(".nc"))
    cluster = LocalCluster(n_workers=processes, threads_per_worker=1, processes=True, memory_limit=0, dashboard_address=None)
    with cluster, Client(cluster):
        ds = xr.open_mfdataset(
            paths, engine="h5netcdf", combine="nested", concat_dim=append, data_vars="minimal", coords="minimal", compat="override",
            combine_attrs="override", parallel=True, preprocess=functools.partial(typed, types), chunks=chunks | {append: 1},
        )  # fmt: skip
        ds = ds.chunk(chunks)
        for variable in ds.variables.values():
            variable.encoding = {k: v for k, v in variable.encoding.items() if k in ("units", "calendar")}
        codec = Blosc(cname="lz4", clevel=5, shuffle=Blosc.SHUFFLE)
        encoding = {n: {"compressors": (codec,)} for n in ds.variables}
        encoding |= {n: e | {"chunks": tuple(chunks[d] for d in ds[n].dims)} for n, e in encoding.items() if n in types}
        out = os.path.join(destination, config["dataset_name"] + ".zarr")
        ds.to_zarr(out, mode="w", zarr_format=2, consolidated=True, encoding=encoding, safe_chunks=False)


if __name__ == "__main__":
    main()
