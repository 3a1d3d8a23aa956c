"""Variables as xarray 2025.6.1 decodes them. Where the version at hand has other rules, its options are pinned or the
rule is written out here.
"""

import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import xarray as xr

warnings.simplefilter("ignore")
UNITS = {"day": 86400 * 10**9, "hour": 3600 * 10**9, "minute": 60 * 10**9, "second": 10**9}
opened = {}


def dataset(path):
    if path not in opened:
        opened.clear()
        opened[path] = xr.open_dataset(
            path,
            engine="netcdf4",
            decode_times=False,
            decode_timedelta=False,
            decode_coords=False,
            cache=False,
        )
    return opened[path]


def times(variable, attributes):
    """Rule 5 of the decode: one product in float64, cut off towards zero; integers exactly."""
    units, _, reference = attributes["units"].partition(" since ")
    unit = UNITS[units.lower().rstrip("s")]
    calendar = (attributes.get("calendar") or "standard").lower()
    values = variable.values
    flat = values.astype(np.float64).ravel()
    missing = np.isnan(flat)
    try:
        start = pd.Timestamp(reference)
        start = start.tz_convert("UTC").tz_localize(None) if start.tzinfo else start
        if calendar == "julian":
            raise ValueError("dates of its own")
        if start < pd.Timestamp("1582-10-15") and calendar != "proleptic_gregorian":
            raise ValueError("the calendars differ before that day")
        start = start.as_unit("ns").value
    except (ValueError, pd.errors.OutOfBoundsDatetime):
        import cftime

        dates = cftime.num2date(np.where(missing, 0, flat), attributes["units"], calendar or "standard", only_use_cftime_datetimes=True)
        if calendar == "julian":  # the incumbent's repair takes whole seconds
            dates = np.array([d.replace(microsecond=0) for d in dates.ravel()])
        out = np.array([np.datetime64(d.isoformat(), "ns").astype(np.int64) for d in dates.ravel()], dtype=np.int64)
    else:
        if values.dtype.kind in "iu":
            out = start + values.astype(np.int64).ravel() * unit
        else:
            out = start + np.trunc(np.where(missing, 0, flat) * unit).astype(np.int64)
    return pa.array(out, mask=missing).cast(pa.timestamp("ns"))


def expected(variable):
    attributes = {**variable.encoding, **variable.attrs}
    units = attributes.get("units")
    if isinstance(units, str) and " since " in units:
        return times(variable, attributes)
    if units in ("days", "hours", "minutes", "seconds"):
        decoded = xr.coders.CFTimedeltaCoder(time_unit="ns", decode_via_units=True).decode(variable.variable, name=variable.name)
        values = decoded.values.ravel().astype("timedelta64[ns]")
        return pa.array(values, from_pandas=True)
    values = variable.values.ravel()
    if values.dtype.kind == "S":
        return pa.array(values.astype(object), pa.binary())
    if values.dtype == object:
        kinds = {type(v) for v in values if not (v is None or v != v)}
        array = pa.array([None if v is None or v != v else v for v in values])
        return array.cast(pa.binary()) if bytes in kinds and str not in kinds else array
    return pa.array(values, from_pandas=True)
