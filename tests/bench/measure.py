#!/usr/bin/env python3
"""measure.py CONVERTER CONFIG.json FILE.nc [--out JSON]: the converter against hand_written.py, in one run.

One file, then 200 copies of it under different names. Each is run several times, the two programs in turn; the median
counts. Memory is the largest sum of the resident sets of a program's processes. Exit code 1 when a limit of the issue
is missed.
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

# pyarrow stays out of this process: what it takes would count as memory of the programs that are started from here.
COUNT_ROWS = """
import os, sys, pyarrow.parquet as pq
print(sum(pq.ParquetFile(os.path.join(r, f)).metadata.num_rows
          for r, _, fs in os.walk(sys.argv[1]) if "/_" not in r[len(sys.argv[1]):] for f in fs if f.endswith(".parquet")))
"""
HERE = os.path.dirname(os.path.abspath(__file__))
MIB = 1 << 20
# The limits. The incumbent took 4.4 s and 352 MiB for the one file, 230 s for the 200.
LIMITS = {1: {"wall": 0.15, "rss": 80 * MIB}, 200: {"wall": 230 / 40, "rss": 200 * MIB}}
INCUMBENT = {1: 4.4, 200: 230.0}


def resident(root):
    """Resident bytes of a process and what it started."""
    total, todo = 0, [root]
    while todo:
        pid = todo.pop()
        try:
            with open(f"/proc/{pid}/statm") as f:
                total += int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/children") as f:
                    todo.extend(int(c) for c in f.read().split())
        except (FileNotFoundError, ProcessLookupError):
            pass
    return total


def run(command):
    """Wall and CPU seconds, peak resident bytes."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    peak, done = [0], threading.Event()

    def sample():
        while not done.is_set():
            peak[0] = max(peak[0], resident(process.pid))
            # Seldom enough to leave the processors to what is measured.
            done.wait(0.02)

    sampler = threading.Thread(target=sample)
    sampler.start()
    output = {}
    readers = [threading.Thread(target=lambda n=n, s=s: output.update({n: s.read()})) for n, s in (("out", process.stdout), ("err", process.stderr))]
    for reader in readers:
        reader.start()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    done.set()
    for thread in [sampler, *readers]:
        thread.join()
    if process.returncode != 0:
        sys.exit(f"{' '.join(command)}\nexit code {process.returncode}\n{output['out']}{output['err']}")
    return {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "rss": max(peak[0], usage.ru_maxrss * 1024)}


def rows(folder):
    return int(subprocess.run([sys.executable, "-c", COUNT_ROWS, folder], check=True, capture_output=True, text=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("converter")
    parser.add_argument("config")
    parser.add_argument("file")
    parser.add_argument("--out")
    parser.add_argument("--copies", type=int, default=200)
    options = parser.parse_args()
    results, missed = {}, []
    with tempfile.TemporaryDirectory(prefix="cod-bench-") as scratch:
        for count, times in ((1, 7), (options.copies, 3)):
            source = os.path.join(scratch, f"source-{count}")
            os.mkdir(source)
            stem = os.path.basename(options.file).removesuffix(".nc")
            for i in range(count):
                shutil.copyfile(options.file, os.path.join(source, f"{stem}-{i:04}.nc" if count > 1 else f"{stem}.nc"))
            programs = {
                "converter": lambda out: [options.converter, "run", "--config", options.config, "--source", source, "--destination", out, "--quiet"],
                "by hand": lambda out: [sys.executable, os.path.join(HERE, "hand_written.py"), options.config, source, out],
            }
            measured, counted = {name: [] for name in programs}, {}
            for turn in range(times + 1):
                for name, command in programs.items():
                    out = os.path.join(scratch, "out")
                    shutil.rmtree(out, ignore_errors=True)
                    os.mkdir(out)
                    figures = run(command(out))
                    counted[name] = rows(out)
                    if turn > 0:  # the first turn warms the caches
                        measured[name].append(figures)
            if len(set(counted.values())) != 1:
                sys.exit(f"not the same rows: {counted}")
            total = counted["converter"]
            print(f"\n{count} file{'s' if count > 1 else ''}, {total} rows")
            print(f"{'':12}{'wall s':>10}{'CPU s':>10}{'RSS MiB':>10}{'rows/s':>14}")
            medians = {}
            for name, figures in measured.items():
                m = {k: statistics.median(f[k] for f in figures) for k in figures[0]} | {"rows": total}
                m["rss"] = max(f["rss"] for f in figures)
                medians[name] = m
                print(f"{name:12}{m['wall']:10.3f}{m['cpu']:10.3f}{m['rss'] / MIB:10.1f}{total / m['wall']:14.0f}")
            ours, other = medians["converter"], medians["by hand"]
            print(f"{'ratio':12}{other['wall'] / ours['wall']:10.1f}{other['cpu'] / ours['cpu']:10.1f}{other['rss'] / ours['rss']:10.1f}")
            if count in INCUMBENT:
                print(f"the incumbent's {INCUMBENT[count]} s (on 2 processors) are {INCUMBENT[count] / ours['wall']:.0f} times ours")
            results[count] = medians
            for what, limit in LIMITS.get(count, {}).items():
                if ours[what] > limit:
                    missed.append(f"{count}: {what} {ours[what]:.3f} is over {limit:.3f}")
            if ours["wall"] > other["wall"]:
                missed.append(f"{count}: slower than by hand")
    if options.out:
        with open(options.out, "w") as f:
            json.dump(results, f, indent=1)
    for line in missed:
        print("MISSED", line)
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()
