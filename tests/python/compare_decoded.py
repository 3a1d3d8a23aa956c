"""Compares decoded variables with what xarray decodes. A JSON object a line in; a line out for each that differs."""

import json
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from decoded import dataset, expected


def differs(case):
    variable = dataset(case["file"])[case["variable"]]
    try:
        theirs = expected(variable)
    except Exception as error:  # theirs may refuse it too
        return None if case["error"] else f"xarray: {type(error).__name__}: {error}"
    if case["error"]:
        return f"ours: {case['error']}; xarray: {theirs.type}"
    ours = pq.read_table(case["ours"]).column("v").combine_chunks()
    if len(ours) == 0 and len(theirs) == 0:
        return None
    if pa.types.is_null(theirs.type) and ours.null_count == len(ours) == len(theirs):
        return None
    if ours.type != theirs.type:
        return f"type {ours.type}, xarray {theirs.type}"
    if len(ours) != len(theirs):
        return f"{len(ours)} values, xarray {len(theirs)}"
    if pa.types.is_floating(ours.type):
        same = ours.is_null().equals(theirs.is_null()) and np.array_equal(
            ours.fill_null(0).to_numpy().view(f"u{ours.type.bit_width // 8}"),
            theirs.fill_null(0).to_numpy().view(f"u{ours.type.bit_width // 8}"),
        )
    else:
        same = ours.equals(theirs)
    if same:
        return None
    first = next(i for i in range(len(ours)) if ours[i] != theirs[i] or str(ours[i]) != str(theirs[i]))
    return f"value {first}: {ours[first]!r}, xarray {theirs[first]!r}"


for line in sys.stdin:
    case = json.loads(line)
    text = differs(case)
    if text:
        attributes = dataset(case["file"])[case["variable"]]
        seen = {k: str(v) for k, v in {**attributes.encoding, **attributes.attrs}.items() if k in ("units", "calendar", "_FillValue", "missing_value", "scale_factor", "add_offset", "_Unsigned", "dtype")}
        print(json.dumps({"file": case["file"].split("/")[-1], "variable": case["variable"], "differs": text, "attributes": seen}))
