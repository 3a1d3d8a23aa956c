"""Reads a Zarr store as its users do, with xarray, and says what is in it, as JSON.

read_grid.py BUCKET/PREFIX/DATASET.zarr
"""

import json
import os
import sys
import tempfile
import warnings

import numpy as np
import xarray as xr
from pyarrow import fs


def main() -> None:
    warnings.simplefilter("error")
    store = fs.S3FileSystem(endpoint_override=os.environ["S3_ENDPOINT"], region=os.environ.get("AWS_REGION", "us-east-1"))
    with tempfile.TemporaryDirectory() as folder:
        fs.copy_files(sys.argv[1], folder, source_filesystem=store)
        with xr.open_zarr(folder, consolidated=True) as ds:
            times = ds["TIME"].values.astype("M8[us]").astype("i8")
            fields = {}
            for name in ("TEMP", "SPEED", "COUNT", "EXTRA"):
                values = ds[name].values.astype("f8")
                fields[name] = [[None if np.isnan(v) else v for v in row.ravel()] for row in values]
            found = {
                "times": times.tolist(),
                "files": [str(name) for name in ds["filename"].values],
                "fields": fields,
                "depth": ds["DEPTH"].values.ravel().tolist(),
                "title": ds.attrs["title"],
            }
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
