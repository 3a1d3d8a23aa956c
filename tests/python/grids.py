"""Grids in the shape of configs, and the stores made of them, as xarray and GDAL see both.

grids.py make   a line in: {"config": merged config, "folder": where to}; out: the names of three files
grids.py check  a line in: the same with "store"; out: what is wrong with the store, a list of texts

Two files have a time each, the third has two; the last two lack a variable that is not static.
"""
import json
import logging
import os
import sys
import warnings

import netCDF4
import numpy as np
import rasterio
import xarray as xr
import zarr

TYPES = {"float": "f8", "double": "f8", "float64": "f8", "float32": "f4", "int32": "i4", "int8": "i1", "byte": "i1", "int16": "i2", "int64": "i8"}
TIMES = ([3.0], [1.25], [7.0, 8.5])


def shape_of(config):
    transform = config["schema_transformation"]
    dimensions = list(transform["dimensions"].values())
    append = next((d["name"] for d in dimensions if d.get("append_dim")), None) or transform["dimensions"]["time"]["name"]
    rest = [d["name"] for d in dimensions if d["name"] != append]
    # Three to five positions: more than a chunk where chunks are small, less where they are large.
    lengths = {name: 3 + at for at, name in enumerate(rest)}
    return append, lengths


def variables(config):
    append, lengths = shape_of(config)
    known = {append, *lengths, "filename", *config["schema_transformation"].get("add_variables", {})}
    for name, schema in config["schema"].items():
        if name not in known and not schema.get("drop_var"):
            dims = schema.get("dims") or [append, *lengths]
            if all(d == append or d in lengths for d in dims):
                yield name, schema, dims


def lacking(config):
    """A variable that some files lack: none that gives others their shape."""
    append, _ = shape_of(config)
    template = config["schema_transformation"]["var_template_shape"]
    template = [template] if isinstance(template, str) else template
    able = [n for n, s, dims in variables(config) if n not in template and dims[0] == append and s["type"] in TYPES]
    return able[-1] if able else None


def values(name, shape, file):
    random = np.random.default_rng([file, *name.encode()])
    return random.integers(-300, 300, shape)


def make(config, folder):
    os.makedirs(folder, exist_ok=True)
    append, lengths = shape_of(config)
    names = []
    for file, times in enumerate(TIMES):
        names.append(f"grid-{file}.nc")
        path = os.path.join(folder, names[-1])
        with netCDF4.Dataset(path, "w", format="NETCDF4" if file else "NETCDF3_CLASSIC") as nc:
            nc.title = f"file {file}"
            nc.createDimension(append, None if file == 2 else len(times))
            time = nc.createVariable(append, "f8", (append,))
            time.units = "days since 1990-01-01 00:00:00"
            time[:] = times
            for name, length in lengths.items():
                nc.createDimension(name, length)
                nc.createVariable(name, "f8", (name,))[:] = np.linspace(-30, -20, length)
            for name, schema, dims in variables(config):
                if file and name == lacking(config):
                    continue
                shape = [len(times) if d == append else lengths[d] for d in dims]
                raw = values(name, shape, file if append in dims else 0)
                if schema["type"] in ("timestamp[ns]", "datetime64[ns]"):
                    nc.createVariable(name, "f8", dims).units = "hours since 2000-01-01"
                    nc[name][:] = raw
                elif TYPES[schema["type"]][0] == "i":
                    nc.createVariable(name, "i4" if TYPES[schema["type"]] == "i8" else TYPES[schema["type"]], dims)[:] = raw // 3
                else:
                    packed = nc.createVariable(name, "i2", dims, fill_value=-99)
                    packed.set_auto_maskandscale(False)
                    packed.scale_factor = np.float64(0.01)
                    packed.add_offset = np.float64(5)
                    packed.units = "m"
                    packed[:] = np.where(raw % 11 == 0, -99, raw)
    return names


class Said(logging.Handler):
    """What GDAL warns of."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.lines = []
        logging.getLogger("rasterio").addHandler(self)

    def emit(self, record):
        self.lines.append(record.getMessage())


SAID = Said()


def wrong_in_gdal(store):
    """Where GDAL's Zarr driver complains, or reads other numbers than zarr does. It shows arrays of two and three dimensions
    as rasters, and one of more by the slice; texts it does not show."""
    found = []
    group = zarr.open_group(store, mode="r")
    with warnings.catch_warnings():
        # A grid in degrees has no affine map of its own.
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(store, driver="Zarr") as dataset:
            named = [name for name in dataset.subdatasets if name.rsplit(":", 1)[1].startswith("/")]
        if not named:
            found.append("GDAL sees no array")
        for name in named:
            expected = group[name.rsplit(":/", 1)[1]][...]
            with rasterio.open(name) as raster:
                got = raster.read()
            if not np.array_equal(got.ravel(), expected.ravel(), equal_nan=expected.dtype.kind == "f"):
                found.append(f"GDAL reads {name} as {got.ravel()[:4]} instead of {expected.ravel()[:4]}")
    found += [f"GDAL says {line}" for line in SAID.lines]
    SAID.lines.clear()
    return found


def wrong(config, folder, store):
    append, lengths = shape_of(config)
    warnings.simplefilter("error")
    found = wrong_in_gdal(store)
    files = sorted(range(len(TIMES)), key=lambda file: TIMES[file][0])
    with xr.open_zarr(store, consolidated=True) as ds:
        ds.load()
        names = [f"grid-{file}.nc" for file in files for _ in TIMES[file]]
        if [str(name) for name in ds["filename"].values] != names:
            found.append(f"filename {ds['filename'].values}")
        for name, schema, dims in variables(config):
            if name not in ds.variables:
                found.append(f"{name} is missing")
                continue
            parts = []
            for file in files:
                with xr.open_dataset(os.path.join(folder, f"grid-{file}.nc")) as source:
                    if name in source:
                        parts.append(source[name].transpose(*dims).values)
                    elif append in dims:
                        shape = [len(TIMES[file]) if d == append else lengths[d] for d in dims]
                        parts.append(np.full(shape, np.nan))
            expected = np.concatenate(parts, dims.index(append)) if append in dims else parts[0]
            got = ds[name]
            if list(got.dims) != list(dims):
                found.append(f"{name} has dimensions {got.dims} instead of {dims}")
                continue
            if schema["type"] in TYPES:
                dtype = TYPES[schema["type"]]
                if got.dtype != np.dtype(dtype):
                    found.append(f"{name} is {got.dtype} instead of {dtype}")
                with np.errstate(invalid="ignore"), warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    same = np.array_equal(got.values, expected.astype(dtype), equal_nan=dtype[0] == "f")
            else:
                same = np.array_equal(got.values.astype("M8[ns]"), expected.astype("M8[ns]"))
            if not same:
                found.append(f"{name}: {got.values.ravel()[:4]} instead of {expected.ravel()[:4]}")
    return found


for line in sys.stdin:
    asked = json.loads(line)
    if sys.argv[1] == "make":
        answer = make(asked["config"], asked["folder"])
    else:
        answer = wrong(asked["config"], asked["folder"], asked["store"])
    print(json.dumps(answer))
