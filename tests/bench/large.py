#!/usr/bin/env python3
"""large.py CONVERTER [WHAT...] [--short] [--scratch DIR] [--out JSON]: the converter at the sizes that archives have.

argo      one file of profiles, then 2,000 of about 1 MB, against hand_profiles.py
moorings  20 M rows in 50 files, against hand_written.py
table     a CSV of 10 M rows, against polars and against pandas
memory    peak memory of `--memory 256MiB`: a NetCDF file of 4 GB decoded, 10,000 small files, a CSV of 3 GB
threads   the moorings with 1 thread on 1 processor and with 2 on 2: storing has threads of its own

What is compared runs in turn, in this one run, and must give the same rows; ratios decide, seconds are for orientation.
--short takes a hundredth of the data or so, tells the ratios and holds no limit. Inputs are made once in the scratch
folder and used again. Exit code 1 when a limit is missed.
"""
import argparse
import json
import os
import shutil
import statistics
import sys

import data
from measure import MIB, rows, run

HERE = os.path.dirname(os.path.abspath(__file__))


class Bench:
    def __init__(self, options):
        self.converter = os.path.abspath(options.converter)
        self.short = options.short
        self.scratch = os.path.abspath(options.scratch)
        self.results, self.missed = {}, []
        os.makedirs(self.scratch, exist_ok=True)

    def pick(self, full, short):
        return short if self.short else full

    def input(self, name, make):
        return data.once(os.path.join(self.scratch, f"{name}-short" if self.short else name), make)

    def config(self, config):
        path = os.path.join(self.scratch, config["dataset_name"] + ".json")
        with open(path, "w") as file:
            json.dump(config, file)
        return path

    def ours(self, config, source, *more):
        return lambda out: [self.converter, "run", "--config", config, "--source", source, "--destination", out, "--quiet", *more]

    def theirs(self, script, *arguments):
        return lambda out: [sys.executable, os.path.join(HERE, script), *arguments, out, "2"]

    def look(self, out):
        """The rows, and what else of a result must be the same for all programs."""
        return rows(out), None

    def compare(self, what, programs, times=3):
        """Medians of each program, in turn; the first turn warms the caches."""
        measured, counted = {name: [] for name in programs}, {}
        out = os.path.join(self.scratch, "out")
        for turn in range(times + 1):
            for name, command in programs.items():
                shutil.rmtree(out, ignore_errors=True)
                os.mkdir(out)
                figures = run(command(out))
                if turn == 0:
                    counted[name] = self.look(out)
                else:
                    measured[name].append(figures)
        shutil.rmtree(out, ignore_errors=True)
        if len(set(counted.values())) != 1:
            sys.exit(f"{what}: not the same rows: {counted}")
        total = next(iter(counted.values()))[0]
        print(f"\n{what}, {total} rows\n{'':12}{'wall s':>10}{'CPU s':>10}{'RSS MiB':>10}{'rows/s':>14}")
        medians = {}
        for name, figures in measured.items():
            m = {k: statistics.median(f[k] for f in figures) for k in figures[0]} | {"rows": total}
            m["rss"] = max(f["rss"] for f in figures)
            medians[name] = m
            print(f"{name:12}{m['wall']:10.3f}{m['cpu']:10.3f}{m['rss'] / MIB:10.1f}{total / m['wall']:14.0f}", flush=True)
        self.results[what] = medians
        return medians

    def ratio(self, what, medians, other, ours, least):
        ratio = medians[other]["wall"] / medians[ours]["wall"]
        print(f"{other} takes {ratio:.2f} times as long as {ours} (asked for: {least})")
        if ratio < least:
            self.miss(f"{what}: {ratio:.2f} times, not {least}")

    def miss(self, text):
        if not self.short:
            self.missed.append(text)

    def argo(self):
        config = data.example("float.yaml")
        path = self.config(config)
        real = os.path.join(HERE, "..", "..", "..", "shared", "data", "argo")
        one = self.input("argo-1", lambda folder: one_file(folder, real, config))
        of_one = path
        if os.path.isdir(real):
            # The real config beside the real file; its data columns are those of the file.
            of_one = os.path.join(real, "argo.json")
        medians = self.compare("one float", {"converter": self.ours(of_one, one), "by hand": self.theirs("hand_profiles.py", of_one, one)}, 5)
        if medians["converter"]["wall"] > 0.25:
            self.miss(f"one float: {medians['converter']['wall']:.3f} s are over 0.25 s")
        many = self.input("argo", lambda folder: data.profiles(folder, self.pick(2000, 40), 165, config))
        medians = self.compare("many floats", {"converter": self.ours(path, many), "by hand": self.theirs("hand_profiles.py", path, many)}, 1)
        self.ratio("many floats", medians, "by hand", "converter", 6)

    def long_moorings(self):
        rows_each = self.pick(400_000, 20_000)
        source = self.input("moorings", lambda folder: data.moorings(folder, self.pick(50, 10), rows_each))
        return self.config(data.example("mooring.yaml")), source

    def moorings(self):
        config, source = self.long_moorings()
        programs = {"converter": self.ours(config, source), "by hand": self.theirs("hand_written.py", config, source)}
        self.ratio("moorings", self.compare("long moorings", programs, 1), "by hand", "converter", 4)

    def threads(self):
        config, source = self.long_moorings()
        programs = {}
        for n in (1, 2):
            command = self.ours(config, source, "--threads", str(n))
            programs[f"{n} thread"] = lambda out, n=n, command=command: ["taskset", "-c", f"0-{n - 1}", *command(out)]
        self.ratio("threads", self.compare("threads", programs, 9), "1 thread", "2 thread", 1.8)

    def table(self):
        source = self.input("table", lambda folder: data.table(folder, self.pick(10_000_000, 200_000)))
        for which, least in (("polars", 1), ("pandas", 4)):
            config = self.config(data.table_config(which))
            programs = {"converter": self.ours(config, source), which: self.theirs("hand_table.py", which, config, source)}
            self.ratio(f"table, {which}", self.compare(f"a table, rules of {which}", programs, 1), which, "converter", least)

    def memory(self):
        mooring = data.example("mooring.yaml")
        for chunk in (100_000, 4_000_000):
            # TIME 8, two values and six more 4, two flags 1: 42 bytes a row; the config takes 18 of them.
            count = self.pick(100_000_000, 1_000_000)
            name = f"large-{chunk}"
            source = self.input(name, lambda folder: data.mooring(os.path.join(folder, "large.nc"), count, 1, chunk, 6))
            extra = {f"EXTRA{i}": {"type": "float"} for i in range(6)}
            config = self.config(mooring | {"dataset_name": "large", "schema": mooring["schema"] | extra})
            self.peak(f"{count * 42 / 1e9:.2f} GB decoded, deflated chunks of {chunk} rows", config, source)
        config = self.config(mooring)
        source = self.input("small", lambda folder: data.moorings(folder, self.pick(10_000, 200), 500))
        self.peak("small files", config, source)
        lines = self.pick(34_000_000, 300_000)
        source = self.input("lines", lambda folder: data.table(folder, lines))
        size = sum(os.path.getsize(os.path.join(source, name)) for name in os.listdir(source))
        for which in ("pandas", "polars"):
            self.peak(f"a CSV of {size / 1e9:.2f} GB, rules of {which}", self.config(data.table_config(which)), source)

    def peak(self, what, config, source):
        out = os.path.join(self.scratch, "out")
        shutil.rmtree(out, ignore_errors=True)
        os.mkdir(out)
        figures = run(self.ours(config, source, "--memory", "256MiB")(out))
        figures["rows"] = rows(out)
        shutil.rmtree(out, ignore_errors=True)
        print(f"{what}: {figures['rss'] / MIB:.0f} MiB, {figures['rows']} rows, {figures['wall']:.1f} s", flush=True)
        self.results[what] = figures
        if figures["rss"] > 400 * MIB:
            self.miss(f"{what}: {figures['rss'] / MIB:.0f} MiB are over 400 MiB")


def one_file(folder, real, config):
    if os.path.isdir(real):
        name = next(f for f in os.listdir(real) if f.endswith("_prof.nc"))
        shutil.copyfile(os.path.join(real, name), os.path.join(folder, name))
    else:
        data.profiles(folder, 1, 234, config)


def main(kind=Bench, parts=("argo", "moorings", "table", "memory", "threads"), text=__doc__):
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("converter")
    parser.add_argument("what", nargs="*", default=parts)
    parser.add_argument("--short", action="store_true")
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    parser.add_argument("--scratch", default=os.path.join(cache, "cloud-optimised", "bench"))
    parser.add_argument("--out")
    options = parser.parse_args()
    bench = kind(options)
    for what in options.what:
        if what not in parts:
            parser.error(f"there is no bench {what}")
        getattr(bench, what)()
    if options.out:
        with open(options.out, "w") as file:
            json.dump(bench.results, file, indent=1)
    for line in bench.missed:
        print("MISSED", line)
    sys.exit(bool(bench.missed))


if __name__ == "__main__":
    main()
