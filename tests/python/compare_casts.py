"""Casts a variable as pyarrow does, safely, and compares. A JSON object a line in; a line out for each that differs."""

import json
import sys

import pyarrow as pa
import pyarrow.parquet as pq
from decoded import dataset, expected

TYPES = {
    "int8": pa.int8(), "int16": pa.int16(), "int32": pa.int32(), "int64": pa.int64(),
    "uint8": pa.uint8(), "uint16": pa.uint16(), "uint32": pa.uint32(), "uint64": pa.uint64(),
    "float": pa.float32(), "double": pa.float64(), "string": pa.string(), "byte": pa.binary(), "bool": pa.bool_(),
    "timestamp[ns]": pa.timestamp("ns"), "timestamp[ms]": pa.timestamp("ms"), "timedelta64[ns]": pa.duration("ns"),
    "date32[day]": pa.date32(), "time32[s]": pa.time32("s"), "time64[us]": pa.time64("us"),
    "list<element: string>": pa.list_(pa.string()),
}  # fmt: skip


def natural_values(case):
    variable = dataset(case["file"])[case["variable"]]
    natural = expected(variable)
    # What the default mends: a column of numbers gets numbers, also where units such as "days" make durations.
    numbers = pa.types.is_integer(TYPES[case["target"]]) or pa.types.is_floating(TYPES[case["target"]])
    if pa.types.is_duration(natural.type) and numbers:
        return pa.array(variable.values.ravel(), from_pandas=True)
    return natural


def differs(case):
    natural = natural_values(case)
    try:
        theirs = natural.cast(TYPES[case["target"]], safe=True)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        theirs = error
    if case["error"]:
        refused = isinstance(theirs, Exception)
        if not refused and pa.types.is_time32(theirs.type):
            # Seconds beyond a day overflow the milliseconds they are written as; pyarrow does not notice.
            refused = any(not 0 <= second < 86400 for second in theirs.cast(pa.int32()).to_pylist() if second is not None)
        return None if refused else f"ours: {case['error']}; pyarrow: {theirs.to_pylist()!r}"
    ours = pq.read_table(case["ours"], columns=["V"]).column("V").combine_chunks()
    if isinstance(theirs, Exception):
        return f"ours: {ours.to_pylist()!r}; pyarrow: {str(theirs).splitlines()[0]}"
    if pa.types.is_time32(theirs.type):
        theirs = theirs.cast(pa.time32("ms"))  # Parquet knows no seconds of a day
    if ours.type != theirs.type or str(ours) != str(theirs):
        return f"ours: {ours.type} {ours.to_pylist()!r}; pyarrow: {theirs.type} {theirs.to_pylist()!r}"
    return None


for line in sys.stdin:
    case = json.loads(line)
    text = differs(case)
    if text:
        natural = natural_values(case)
        print(json.dumps({"from": str(natural.type), "values": str(natural.to_pylist()), "to": case["target"], "differs": text}))
