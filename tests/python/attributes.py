"""What xarray sees of a store's attributes, as JSON: a line with the store's path in, a line out.

Beside the attributes: what the rows cover, and the first value and type of each variable, as they are decoded.
"""
import json
import sys
import warnings

import numpy as np
import xarray as xr

warnings.simplefilter("error")


def plain(value):
    if isinstance(value, np.generic):
        return value.item()
    return value.tolist() if isinstance(value, np.ndarray) else value


def plain_all(attributes):
    return {name: plain(value) for name, value in attributes.items()}


for line in sys.stdin:
    with xr.open_zarr(line.strip(), consolidated=True) as ds:
        ds.load()
        times = ds["TIME"].values[ds["filename"].values != ""].astype("M8[s]")
        found = {
            "group": plain_all(ds.attrs),
            "variables": {name: plain_all(variable.attrs) for name, variable in ds.variables.items()},
            "types": {name: str(variable.dtype) for name, variable in ds.variables.items()},
            "firsts": {name: str(variable.values.ravel()[0]) for name, variable in ds.variables.items()},
            "times": [f"{times.min()}Z", f"{times.max()}Z"],
        }
    print(json.dumps(found))
