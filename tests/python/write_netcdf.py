"""Writes NetCDF files from descriptions on standard input, a JSON object a line (tests/src/fixtures/draft)."""

import json
import sys

import netCDF4
import numpy as np

FORMATS = {"Netcdf4": "NETCDF4", "Netcdf3": "NETCDF3_64BIT_OFFSET", "Classic": "NETCDF3_CLASSIC", "Cdf5": "NETCDF3_64BIT_DATA"}


def values(cells):
    kind, content = cells
    if kind == "text":
        return np.array(content, dtype=object)
    return np.frombuffer(bytes.fromhex(content), dtype=kind if kind == "S1" else "<" + kind)


def attribute(cells):
    kind, content = cells
    if kind == "text":
        return content[0] if len(content) == 1 else content
    content = values(cells)
    return content[0] if len(content) == 1 else content


def write(draft):
    with netCDF4.Dataset(draft["path"], "w", format=FORMATS[draft["format"]]) as file:
        file.set_auto_maskandscale(False)
        for name, cells in draft["attributes"]:
            file.setncattr(name, attribute(cells))
        lengths = {}
        for name, length, unlimited in draft["dimensions"]:
            file.createDimension(name, None if unlimited else length)
            lengths[name] = length
        made = []
        for entry in draft["variables"]:
            content = values(entry["values"])
            attributes = dict(entry["attributes"])
            fill = attributes.pop("_FillValue", None)
            options = {}
            if fill is not None:
                options["fill_value"] = attribute(fill).encode() if content.dtype == "S1" else attribute(fill)
            if entry["deflate"] is not None:
                options |= {"compression": "zlib", "complevel": entry["deflate"], "shuffle": entry["shuffle"]}
            if entry["chunks"] is not None:
                options["chunksizes"] = entry["chunks"]
            if content.dtype.kind in "iuf" and entry["endian"] == "big":
                content = content.astype(content.dtype.newbyteorder(">"))
                options["endian"] = "big"
            kind = str if content.dtype == object else content.dtype
            variable = file.createVariable(entry["name"], kind, entry["dimensions"], **options)
            variable.set_auto_maskandscale(False)
            variable.set_auto_chartostring(False)
            for name, cells in attributes.items():
                variable.setncattr(name, attribute(cells))
            content = content.reshape([lengths[d] for d in entry["dimensions"]])
            made.append((variable, content if entry["stored"] is None else content[: entry["stored"]]))
        for variable, content in made:
            if content.size and content.ndim:
                variable[tuple(slice(0, n) for n in content.shape)] = content
            elif content.size:
                variable[...] = content


for line in sys.stdin:
    write(json.loads(line))
