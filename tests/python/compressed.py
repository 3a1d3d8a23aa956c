"""NetCDF-4 files under each compression that netCDF's C library has.

compressed.py   lines in: folders; out: for each the names of its files
"""
import json
import os
import sys

import netCDF4
import numpy as np

METHODS = ("zlib", "szip", "zstd", "bzip2", "blosc_lz", "blosc_lz4", "blosc_lz4hc", "blosc_zlib", "blosc_zstd")

for line in sys.stdin:
    names = []
    for method in METHODS:
        for shuffle in (False, True):
            names.append(f"{method}-{int(shuffle)}.nc")
            with netCDF4.Dataset(os.path.join(line.strip(), names[-1]), "w") as nc:
                nc.createDimension("n", 5000)
                options = {"compression": method, "shuffle": shuffle, "chunksizes": (1024,)}
                nc.createVariable("wide", "f8", ("n",), **options)[:] = np.sin(np.arange(5000))
                nc.createVariable("narrow", "i2", ("n",), **options)[:] = np.arange(5000) % 77 - 40
    print(json.dumps(names))
