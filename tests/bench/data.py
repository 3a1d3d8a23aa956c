"""The inputs of large.py and grids.py: each is made once, in a folder outside the checkout, and used again."""
import dataclasses
import json
import multiprocessing
import os
import shutil
import sys

import netCDF4
import numpy as np
import yaml

EXAMPLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "crds", "examples")
START = 1_546_300_800


def example(name):
    with open(os.path.join(EXAMPLES, name)) as file:
        return json.loads(yaml.safe_load(file)["spec"]["config"])


def once(folder, make):
    """Calls `make(folder)` if what it makes is not there, whole: in a process of its own, since the memory of this one
    would count as that of the programs it starts."""
    if not os.path.exists(folder + ".complete"):
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        print("making", folder, file=sys.stderr)
        maker = multiprocessing.Process(target=make, args=(folder,))
        maker.start()
        maker.join()
        if maker.exitcode != 0:
            sys.exit(f"{folder} could not be made")
        open(folder + ".complete", "w").close()
    return folder


def mooring(path, rows, seed, chunk=None, extra=0):
    """A long deployment: 5-minute rows, deflated, in chunks of `chunk` rows (the library's choice without)."""
    random = np.random.default_rng(seed)
    with netCDF4.Dataset(path, "w") as file:
        file.site_code = f"SITE{seed % 5}"
        file.createDimension("TIME", rows)
        options = {"compression": "zlib", "complevel": 4, "shuffle": True}
        if chunk:
            options["chunksizes"] = (min(chunk, rows),)
        time = file.createVariable("TIME", "f8", ("TIME",), **options)
        time.units = "days since 1950-01-01 00:00:00 UTC"
        for name, value in (("LATITUDE", -33.99 + seed % 7), ("LONGITUDE", 151.45)):
            file.createVariable(name, "f8")[...] = value
        file.createVariable("NOMINAL_DEPTH", "f4")[...] = 100.0
        names = ["TEMP", "PSAL"] + [f"EXTRA{i}" for i in range(extra)]
        values = {n: file.createVariable(n, "f4", ("TIME",), fill_value=999999.0, **options) for n in names}
        flags = {n: file.createVariable(n + "_quality_control", "i1", ("TIME",), fill_value=99, **options) for n in ("TEMP", "PSAL")}
        step = 4_000_000
        for begin in range(0, rows, step):
            count = min(step, rows - begin)
            place = slice(begin, begin + count)
            time[place] = (START + 300.0 * (np.arange(begin, begin + count) % 2_000_000)) / 86400 + 7305
            for name, variable in values.items():
                wander = np.round(16 + np.cumsum(random.normal(0, 0.01, count)) % 8, 3).astype("f4")
                variable[place] = np.where(random.random(count) < 0.002, np.float32(999999), wander)
            for variable in flags.values():
                variable[place] = np.where(random.random(count) < 0.01, 4, 1).astype("i1")


def moorings(folder, count, rows):
    for i in range(count):
        mooring(os.path.join(folder, f"mooring-{i:05}.nc"), rows, i)


def profiles(folder, count, size, config):
    """Files of floats, classic NetCDF as all of them are: `size` profiles of 120 levels each."""
    levels = 120
    columns = config["schema"]
    for i in range(count):
        random = np.random.default_rng(i)
        path = os.path.join(folder, f"{5900000 + i}_prof.nc")
        with netCDF4.Dataset(path, "w", format="NETCDF3_CLASSIC") as file:
            for name, length in (("N_PROF", size), ("N_LEVELS", levels), ("STRING8", 8), ("STRING64", 64)):
                file.createDimension(name, length)
            for name, entry in columns.items():
                if name.startswith("HISTORY_"):
                    continue
                text = entry["type"] == "string"
                if name.startswith("JULD") and not text:
                    variable = file.createVariable(name, "f8", ("N_PROF",), fill_value=999999.0)
                    variable.units = "days since 1950-01-01 00:00:00 UTC"
                    variable[:] = 23000 + i % 900 + np.arange(size) * 10.0
                elif name in ("LATITUDE", "LONGITUDE"):
                    variable = file.createVariable(name, "f8", ("N_PROF",), fill_value=99999.0)
                    centre = -40 + i % 30 if name == "LATITUDE" else 60 + i % 90
                    variable[:] = centre + np.cumsum(random.normal(0, 0.05, size))
                elif name in ("PLATFORM_NUMBER", "PI_NAME"):
                    width = 8 if name == "PLATFORM_NUMBER" else 64
                    value = str(5900000 + i) if width == 8 else "A. Person"
                    variable = file.createVariable(name, "S1", ("N_PROF", f"STRING{width}"), fill_value=b" ")
                    variable[:] = np.frombuffer(value.ljust(width).encode() * size, "S1").reshape(size, width)
                elif text:
                    whole = not name.endswith("_QC") or name in ("JULD_QC", "POSITION_QC")
                    shape = (size,) if whole else (size, levels)
                    variable = file.createVariable(name, "S1", ("N_PROF", "N_LEVELS")[: len(shape)], fill_value=b" ")
                    variable[:] = np.where(random.random(shape) < 0.01, b"4", b"1")
                elif entry["type"] in ("double", "int32"):
                    variable = file.createVariable(name, "i4", ("N_PROF",), fill_value=99999)
                    variable[:] = np.arange(size)
                else:
                    variable = file.createVariable(name, "f4", ("N_PROF", "N_LEVELS"), fill_value=99999.0)
                    values = np.round(random.random((size, levels)) * 30, 3).astype("f4")
                    values[:, 100:] = 99999.0
                    variable[:] = values


def table_config(which):
    names = {
        "time": "timestamp[ns]", "tag": "string", "station": "string", "latitude": "double", "longitude": "double", "depth": "float",
        "temperature": "double", "count": "int32", "flag": "float", "comment": "string",
    }  # fmt: skip
    options = {
        "pandas": {"delimiter": ",", "header": 0, "index_col": "time", "parse_dates": ["time"]},
        "polars": {"separator": ",", "has_header": True, "try_parse_dates": False, "infer_schema_length": 1000},
    }
    config = example("mooring.yaml")
    added = config["schema_transformation"]["add_variables"]
    del added["site_code"]
    config |= {
        "dataset_name": f"table_{which}",
        "schema": {n: {"type": t} for n, t in names.items()},
        "csv_config": {f"{which}_read_csv_config": options[which]},
    }
    config["schema_transformation"]["partitioning"] = [
        {"source_variable": "timestamp", "type": "time_extent", "time_extent": {"time_varname": "time", "partition_period": "M"}},
        {
            "source_variable": "polygon", "type": "spatial_extent",
            "spatial_extent": {"lat_varname": "latitude", "lon_varname": "longitude", "spatial_resolution": 10},
        },
    ]  # fmt: skip
    config["run_settings"]["paths"] = [{"type": "files", "s3_uri": "s3://archive/tags/", "filter": [".*\\.csv$"]}]
    return config


def table(folder, rows):
    """Detections in the order of time: twelve months, some stations, gaps in the floats only."""
    import pandas as pd

    step = 500_000
    for begin in range(0, rows, step):
        count = min(step, rows - begin)
        random = np.random.default_rng(begin)
        number = np.arange(begin, begin + count)
        station = random.integers(0, 40, count)
        time = (START + number * (31_000_000 / rows)).astype("i8").astype("M8[s]")
        frame = pd.DataFrame(
            {
                "time": np.char.replace(np.datetime_as_string(time), "T", " "),
                "tag": np.char.add("A69-1105-", random.integers(100, 999, count).astype(str)),
                "station": np.char.add("Station ", station.astype(str)),
                "latitude": np.round(-43 + station * 0.7 + random.random(count) * 0.01, 6),
                "longitude": np.round(147.2 + station * 0.1, 5),
                "depth": np.round(random.random(count) * 200, 1),
                "temperature": np.where(random.random(count) < 0.02, np.nan, np.round(random.random(count) * 25, 4)),
                "count": random.integers(0, 5000, count),
                "flag": random.integers(1, 5, count),
                "comment": np.where(random.random(count) < 0.05, "seen again, by boat", ""),
            }
        )
        frame.to_csv(os.path.join(folder, "table.csv"), mode="a", header=begin == 0, index=False)


@dataclasses.dataclass(frozen=True)
class Grid:
    """Files of one shape, and what becomes of them."""

    name: str
    dimensions: tuple  # rows first
    size: tuple
    names: list
    store_chunks: tuple
    source_chunks: tuple
    type: str = "float32"
    hours: int = 24
    packed: bool = True
    shuffle: bool = True


def grid_config(shape):
    rows, y, x = shape.dimensions
    lengths = dict(zip(("time", "latitude", "longitude"), zip(shape.dimensions, shape.store_chunks)))
    dimensions = {kind: {"name": name, "chunk": chunk} for kind, (name, chunk) in lengths.items()}
    dimensions["time"]["append_dim"] = True
    return {
        "dataset_name": shape.name,
        "cloud_optimised_format": "zarr",
        "metadata_uuid": None,
        "run_settings": {"paths": [{"type": "files", "s3_uri": "s3://archive/grids/", "filter": [".*\\.nc$"]}]},
        "schema": {rows: {"type": "timestamp[ns]"}, y: {"type": "double"}, x: {"type": "double"}} | {n: {"type": shape.type} for n in shape.names},
        "schema_transformation": {"dimensions": dimensions, "var_template_shape": shape.names[0]},
    }


def grids(folder, shape, count):
    """`count` rows, a file each."""
    with multiprocessing.Pool(2) as pool:
        pool.starmap(day, [(folder, shape, row) for row in range(count)], chunksize=1)


def grid_of(folder, shape, count):
    """`count` rows in one file."""
    grid(folder, shape, 0, count)


def day(folder, shape, row):
    grid(folder, shape, row, 1)


def grid(folder, shape, first, count):
    """Rows of fields as satellites see them: smooth, with noise in the last digits, and holes where clouds are."""
    path = os.path.join(folder, f"{shape.name}-{first:06}.nc")
    options = {"compression": "zlib", "complevel": 4, "shuffle": shape.shuffle}
    with netCDF4.Dataset(path, "w") as file:
        file.title = "made for a bench"
        for name, length in zip(shape.dimensions, (None if count > 1 else 1, *shape.size)):
            file.createDimension(name, length)
        rows, y, x = shape.dimensions
        time = file.createVariable(rows, "f8", (rows,), chunksizes=(min(count, 512),))
        time.units, time.calendar = "days since 1985-01-01 00:00:00 UTC", "gregorian"
        time[:] = 12000 + (first + np.arange(count)) * shape.hours / 24
        for name, length, least in ((y, shape.size[0], -60.0), (x, shape.size[1], 90.0)):
            file.createVariable(name, "f8", (name,))[:] = least + 0.02 * np.arange(length)
        variables = []
        chunks = (1, *(min(pair) for pair in zip(shape.source_chunks, shape.size)))
        for name in shape.names:
            kind, missing = ("i2", -32768) if shape.packed else ("f4", 999999.0)
            variable = file.createVariable(name, kind, shape.dimensions, fill_value=missing, chunksizes=chunks, **options)
            variable.units = "1"
            if shape.packed:
                variable.scale_factor, variable.add_offset = 0.01, 5.0
            variable.set_auto_maskandscale(False)
            variables.append((variable, missing))
        down, along = np.arange(shape.size[0])[:, None] / 300, np.arange(shape.size[1])[None] / 400
        for row in range(count):
            random = np.random.default_rng(first + row)
            for number, (variable, missing) in enumerate(variables):
                phase = (first + row) / 20 + number
                smooth = 1500 + 700 * np.sin(down + phase) * np.cos(along - phase)
                values = smooth + random.integers(-4, 5, shape.size, dtype="i1")
                clouds = np.sin(7 * down + phase) + np.cos(5 * along + 3 * phase) > 0.9
                values = np.rint(values) if shape.packed else np.round(values / 1000, 3)
                variable[row] = np.where(clouds, missing, values).astype(variable.dtype)
