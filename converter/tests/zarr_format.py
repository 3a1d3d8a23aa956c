"""Holds what converter/tests/zarr_format.rs wrote to a folder against Python's json, numcodecs and xarray.

In the folder: store/ (a Zarr store), documents/*.json (texts), expected.json. Written to it, for the test to read: chunks/
(raw, encoded) with chunks/cases.json, and theirs/, a store. The name of zarr's version is told.
"""

import json
import pathlib
import sys

import numcodecs
import numpy
import xarray
import zarr


def documents(folder):
    for path in [*(folder / "store").rglob(".z*"), *(folder / "documents").iterdir()]:
        text = path.read_text("ascii")
        again = json.dumps(json.loads(text), sort_keys=True, indent=4, ensure_ascii=True, separators=(",", ": "))
        assert again == text, f"{path}:\n{text}\nis in Python\n{again}"


def same(one, two):
    return json.dumps(one, sort_keys=True) == json.dumps(two, sort_keys=True)


def store(folder):
    expected = json.loads((folder / "expected.json").read_text())
    options = {"consolidated": True, "chunks": None, "zarr_format": 2}
    raw = xarray.open_zarr(folder / "store", decode_cf=False, **options)
    assert same(raw.attrs, expected["attributes"]), raw.attrs
    assert set(raw.variables) == set(expected["variables"]), set(raw.variables)
    for name, wanted in expected["variables"].items():
        variable = raw[name]
        assert list(variable.dims) == wanted["dimensions"], (name, variable.dims)
        values = variable.values
        values = values.astype(str) if values.dtype.kind == "S" else values
        wanted = numpy.array(wanted["values"], dtype=values.dtype).reshape(values.shape)
        equal = numpy.array_equal(values, wanted, equal_nan=values.dtype.kind == "f")
        assert equal, f"{name}: {values} is not {wanted}"
    decoded = xarray.open_zarr(folder / "store", **options)
    assert str(decoded["TIME"].values[1]).startswith("1950-01-02T12:00:00"), decoded["TIME"].values
    assert decoded["UCUR"].attrs["long_name"] == "eastward \u00b0", decoded["UCUR"].attrs


def chunks(folder):
    (folder / "chunks").mkdir()
    cases = []

    def case(dtype, count, raw, codec, encoded, texts=None):
        number = len(cases)
        (folder / f"chunks/{number}.raw").write_bytes(raw)
        (folder / f"chunks/{number}.encoded").write_bytes(encoded)
        cases.append({"dtype": dtype, "count": count, "default": codec is DEFAULT, "codec": repr(codec), "texts": texts})

    random = numpy.random.default_rng(1)
    names = ["|i1", "<i2", "<i4", "<i8", "|u1", "<u2", "<u4", "<u8", "<f4", "<f8", "|b1", "<U3", "<U70", "|S5"]
    for name in names:
        for count in [1, 40, 5000, 300_000 if numpy.dtype(name).itemsize <= 8 else 3000]:
            values = (random.normal(0, 20, count).cumsum() if name in ("<f4", "<f8") else numpy.arange(count) % 97).astype(name)
            for codec in CODECS if count == 5000 else [DEFAULT]:
                case(name, count, values.tobytes(), codec, codec.encode(values))
    for texts in [["a"], ["", "\u00e9", "\U0001f600", "plain.nc"], [f"file_{number:05}.nc" for number in range(3000)]]:
        plain = bytes(numcodecs.VLenUTF8().encode(numpy.array(texts, dtype=object)))
        for codec in [DEFAULT, *CODECS]:
            case("|O", len(texts), plain, codec, codec.encode(plain), texts)
    (folder / "chunks/cases.json").write_text(json.dumps(cases))


def theirs(folder):
    dataset = xarray.Dataset(
        {
            "UCUR": (("TIME", "LATITUDE"), numpy.arange(15, dtype="f4").reshape(3, 5), {"valid_max": numpy.nan, "units": "m s-1"}),
            "filename": (("TIME",), numpy.array(["a.nc", "", "\u00e9.nc"], dtype=object)),
            "crs": ((), numpy.int32(-7)),
        },
        {"TIME": (("TIME",), numpy.array([0, 1.5, 2]), {"units": "days since 1950-01-01", "calendar": "gregorian"})},
        {"title": "\u00e9 \U0001f600", "numbers": [numpy.nan, 1e16, -0.0, 5e-324], "flag": numpy.int8(3)},
    )
    blosc = {"compressor": DEFAULT} if zarr.__version__ < "3" else {"compressors": (DEFAULT,)}
    encoding = {name: dict(blosc) for name in ["UCUR", "filename", "TIME"]}
    encoding["UCUR"] |= {"chunks": (2, 4), "_FillValue": numpy.float32("nan")}
    dataset.to_zarr(folder / "theirs", zarr_format=2, consolidated=True, encoding=encoding)


DEFAULT = numcodecs.Blosc(cname="lz4", clevel=5, shuffle=1, blocksize=0)
CODECS = [
    DEFAULT,
    *(
        numcodecs.Blosc(cname=name, clevel=level, shuffle=shuffle)
        for name in ["blosclz", "lz4", "lz4hc", "zlib", "zstd"]
        for level in [0, 1, 9]
        for shuffle in [-1, 0, 1, 2]
    ),
]

if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1])
    documents(folder)
    store(folder)
    chunks(folder)
    theirs(folder)
    print("equal", zarr.__version__)
