#!/usr/bin/env python3
"""grids.py CONVERTER [WHAT...] [--short] [--scratch DIR] [--out JSON]: grids, NetCDF to Zarr, at the sizes that archives have.

daily     60 days of 12 packed variables of 1500 x 2000, against hand_grids.py (dask, 2 processes)
shapes    60 days of sea level of 351 x 641, 240 hours of a radar of 60 x 59, against the incumbent's recorded seconds
decode    all of a file of some 139 MB read and thrown away, against nccopy and h5repack writing it uncompressed
append    one day more in a store of 100, 1,000 and 10,000 days: seconds and requests
memory    peak memory of `--memory 512MiB`: a variable of 4 GB decoded, in source chunks of 0.5 MB and of 50 MB

What is compared runs in turn, in this one run, and must give the same values; ratios decide. --short takes a hundredth of
the data or so, tells the ratios and holds no limit. Inputs are made once in the scratch folder and used again. Exit code 1
when a limit is missed. What is not there to compare with is told, and left out: dask (requirements.txt), nccopy
(netcdf-bin), h5repack (hdf5-tools), and the reader itself, `cargo build --release --package converter --example decode`.
"""
import importlib.util
import json
import os
import shutil
import statistics
import subprocess
import sys

import data
import flat
import large
from measure import MIB, run

# The incumbent's, recorded elsewhere on 2 processes.
RECORDED = {"sea level": 34.0, "radar": 63.0}

# In a process of its own, as all that takes memory. Times are sorted: a store has its rows as they came.
SAMPLE = """
import glob, hashlib, sys
import numpy as np, xarray as xr
folder, append, *names = sys.argv[1:]
with xr.open_zarr(glob.glob(folder + "/*.zarr")[0], chunks=None) as ds:
    ds = ds.sortby(append) if (np.diff(ds[append]) < np.timedelta64(0)).any() else ds
    digest = hashlib.sha256(ds[append].values.astype("M8[us]").tobytes())
    for row in sorted({0, ds.sizes[append] // 2, ds.sizes[append] - 1}):
        for name in names:
            values = ds[name].isel({append: row}).values
            digest.update(str(values.dtype).encode() + np.where(np.isnan(values), values.dtype.type(1e30), values).tobytes())
    print(ds.sizes[append], digest.hexdigest())
"""


# A report's lines of files that are as they were lie in a few places, however many they are.
LINES = 8


def flat_from(first, one):
    gets = one["destination"]["get"] - first["destination"]["get"]
    level = {**one, "destination": {**one["destination"], "get": first["destination"]["get"]}}
    return level == first and 0 <= gets <= LINES


class Grids(large.Bench):
    sampled = ()

    def look(self, out):
        command = [sys.executable, "-c", SAMPLE, out, *self.sampled]
        count, digest = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        return int(count), digest

    def of(self, shape):
        self.sampled = (shape.dimensions[0], *shape.names)
        return self.config(data.grid_config(shape))

    def daily(self):
        y, x, variables, days = self.pick((1500, 2000, 12, 60), (750, 1000, 3, 10))
        shape = data.Grid("daily", ("time", "lat", "lon"), (y, x), [f"sea_{i}" for i in range(variables)], (5, 500, 500), (500, 500))
        source = self.input("grids-daily", lambda folder: data.grids(folder, shape, days))
        config = self.of(shape)
        programs = {"converter": self.ours(config, source)}
        if importlib.util.find_spec("distributed"):
            programs["by hand"] = self.theirs("hand_grids.py", config, source)
        else:
            print("daily: there is no dask here (tests/bench/requirements.txt): nothing to compare with")
        medians = self.compare("daily grids", programs, 1)
        if "by hand" in medians:
            self.ratio("daily grids", medians, "by hand", "converter", 4)
            share = medians["converter"]["rss"] / medians["by hand"]["rss"]
            print(f"its memory is {share:.2f} of that by hand (asked for: 0.25)")
            if share > 0.25:
                self.miss(f"daily grids: {share:.2f} of the memory by hand, not 0.25")

    def shapes(self):
        current = ["GSLA", "GSL", "UCUR", "VCUR", "UCUR_MEAN", "VCUR_MEAN"]
        sea = data.Grid("sea_level", ("TIME", "LATITUDE", "LONGITUDE"), (351, 641), current, (5, 351, 641), (351, 641), "float", shuffle=False)
        measured = ["UCUR", "VCUR", "UCUR_sd", "VCUR_sd", "NOBS2", "UCUR_quality_control", "VCUR_quality_control"]
        radar = data.Grid("radar", ("TIME", "I", "J"), (60, 59), measured, (100, 60, 59), (60, 59), hours=1, packed=False, shuffle=False)
        for what, shape, count in (("sea level", sea, self.pick(60, 5)), ("radar", radar, self.pick(240, 10))):
            source = self.input(f"grids-{shape.name}", lambda folder, shape=shape, count=count: data.grids(folder, shape, count))
            wall = self.compare(what, {"converter": self.ours(self.of(shape), source)})["converter"]["wall"]
            if not self.short:
                ratio = RECORDED[what] / wall
                print(f"the incumbent's {RECORDED[what]:.0f} s (on 2 processors) are {ratio:.1f} times ours (asked for: 15)")
                if ratio < 15:
                    self.miss(f"{what}: {ratio:.1f} times, not 15")

    def decode(self):
        ours = os.path.join(os.path.dirname(self.converter), "examples", "decode")
        y, x = self.pick((2500, 3000), (500, 500))
        shape = data.Grid("decode", ("time", "lat", "lon"), (y, x), [f"sea_{i}" for i in range(26)], (5, 500, 500), (500, 500))
        source = self.input("grids-decode", lambda folder: data.grids(folder, shape, 1))
        path = os.path.join(source, os.listdir(source)[0])
        copy = os.path.join(self.scratch, "copy.nc")
        programs = {
            "converter": [ours, path, "2"],
            "nccopy": ["nccopy", "-d0", "-s", path, copy],
            "h5repack": ["h5repack", "-f", "NONE", path, copy],
        }
        for name in [name for name, command in programs.items() if not shutil.which(command[0])]:
            print(f"decode: there is no {programs.pop(name)[0]} here: left out")
        measured = {name: [] for name in programs}
        for turn in range(6):
            for name, command in programs.items():
                if os.path.exists(copy):
                    os.remove(copy)
                figures = run(command)
                if turn > 0:
                    measured[name].append(figures)
        if os.path.exists(copy):
            os.remove(copy)
        size = os.path.getsize(path)
        print(f"\ndecode, {size / 1e6:.0f} MB")
        medians = {name: {k: statistics.median(f[k] for f in figures) for k in figures[0]} for name, figures in measured.items()}
        for name, m in medians.items():
            print(f"{name:12}{m['wall']:10.3f}{m['cpu']:10.3f}{m['rss'] / MIB:10.1f}{size / 1e6 / m['wall']:9.0f} MB/s", flush=True)
        self.results["decode"] = medians
        others = {name: m["wall"] for name, m in medians.items() if name != "converter"}
        if "converter" in medians and others:
            self.ratio("decode", medians, min(others, key=others.get), "converter", 1.7)

    def append(self):
        shape = data.Grid("append", ("TIME", "LATITUDE", "LONGITUDE"), (20, 20), ["TEMP", "SPEED"], (5, 20, 20), (20, 20))
        config = self.of(shape)
        report = os.path.join(self.scratch, "report.json")
        for files in ("one file", "a file each"):
            asked = []
            for days in self.pick((100, 1_000, 10_000), (20, 200)):
                root = os.path.join(self.scratch, "append")
                shutil.rmtree(root, ignore_errors=True)
                side = flat.Side(root)
                make = data.grids if files == "a file each" else data.grid_of
                made = self.input(f"grids-append-{files.replace(' ', '-')}-{days}", lambda folder, days=days, make=make: make(folder, shape, days))
                shutil.copytree(made, side.source)
                flat.convert(self.converter, config, side, report)
                told, idle = [], []
                for day in range(flat.RUNS):
                    # A run that finds nothing to do lists, and reads what it knows.
                    idle.append(flat.convert(self.converter, config, side, report)[0])
                    data.day(side.source, shape, days + day)
                    seconds, result = flat.convert(self.converter, config, side, report)
                    if result["files"]["processed"] != 1:
                        sys.exit(f"append: {result['files']}")
                    told.append(seconds)
                shutil.rmtree(root)
                requests = {side: {k: n for k, n in counts.items() if n and k != "list"} for side, counts in result["requests"].items()}
                asked.append(requests)
                seconds, still = statistics.median(told), statistics.median(idle)
                shown = "; ".join(f"{side}: " + ", ".join(f"{n} {k}" for k, n in counts.items()) for side, counts in requests.items())
                print(f"append, {days:6,} days in {files:12} {seconds:6.3f} s, {seconds - still:6.3f} s more than an idle run  {shown}", flush=True)
                self.results[f"append, {days} days in {files}"] = {"wall": seconds, "idle": still, "requests": requests}
            if any(not flat_from(asked[0], one) for one in asked):
                self.miss(f"append: requests grow with the days in {files}: {asked}")

    def memory(self):
        y, x, rows = self.pick((5000, 5000, 40), (500, 500, 10))
        for chunk in ((500, 500), (y, x)):
            shape = data.Grid(f"whole_{chunk[0]}", ("time", "lat", "lon"), (y, x), ["sea"], (5, 500, 500), chunk)
            source = self.input(f"grids-{shape.name}", lambda folder, shape=shape: data.grid_of(folder, shape, rows))
            out = os.path.join(self.scratch, "out")
            shutil.rmtree(out, ignore_errors=True)
            os.mkdir(out)
            figures = run(self.ours(self.of(shape), source, "--memory", "512MiB")(out))
            self.look(out)
            shutil.rmtree(out)
            what = f"{rows * y * x * 4 / 1e9:.2f} GB decoded, source chunks of 1 x {chunk[0]} x {chunk[1]}"
            print(f"{what}: {figures['rss'] / MIB:.0f} MiB, {figures['wall']:.1f} s", flush=True)
            self.results[what] = figures
            if figures["rss"] > 512 * MIB:
                self.miss(f"{what}: {figures['rss'] / MIB:.0f} MiB are over 512 MiB")


if __name__ == "__main__":
    large.main(Grids, ("daily", "shapes", "decode", "append", "memory"), __doc__)
