#!/usr/bin/env python3
"""hand_profiles.py CONFIG.json SOURCE DESTINATION [PROCESSES]: hand_written.py for profile files of floats.

Everything on profiles and levels becomes rows, a value of a profile stands at each of its levels, texts are decoded
once a profile.
"""
import json
import multiprocessing
import os
import sys

import numpy as np
import pyarrow as pa
import xarray as xr
from hand_written import Job


class Profiles(Job):
    def convert(self, path):
        name = os.path.basename(path)
        wanted = [n for n in self.schema if n not in self.added]
        with xr.open_dataset(path, engine="netcdf4", decode_coords=False) as ds:
            profiles, levels = ds.sizes["N_PROF"], ds.sizes["N_LEVELS"]
            ds = ds[[n for n in wanted if n in ds.variables and ds[n].dims in (("N_PROF",), ("N_PROF", "N_LEVELS"))]].load()
            frame = {n: column(ds[n].values, levels) for n in ds.variables}
        platform = frame.pop("PLATFORM_NUMBER")
        # A file is of one float, as the folders of such archives are.
        constants = {"filename": name, "PLATFORM_NUMBER": str(int(platform[0].as_py()))}
        return self.store(name, frame, constants, profiles * levels)


def column(values, levels):
    if values.dtype == object or values.dtype.kind == "S":
        flat = [v if isinstance(v, bytes) else None for v in values.ravel().tolist()]
        array = pa.array(flat, pa.binary()).cast(pa.string())
        return array if values.ndim == 2 else array.take(pa.array(np.repeat(np.arange(len(array)), levels)))
    return values.ravel() if values.ndim == 2 else np.repeat(values, levels)


def main():
    config, source, destination = sys.argv[1:4]
    processes = int(sys.argv[4]) if len(sys.argv) > 4 else 2
    pa.set_cpu_count(1)
    job = Profiles(json.load(open(config)), destination)
    paths = sorted(os.path.join(r, f) for r, _, fs in os.walk(source) for f in fs if f.endswith("_prof.nc"))
    if len(paths) == 1:
        rows = job.convert(paths[0])
    else:
        with multiprocessing.Pool(processes) as pool:
            rows = sum(pool.imap_unordered(job.convert, paths, chunksize=4))
    job.sidecar()
    print(rows)


if __name__ == "__main__":
    main()
