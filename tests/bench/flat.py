#!/usr/bin/env python3
"""flat.py CONVERTER CONFIG.json FILE.nc [--out JSON]: what one new file costs in a dataset that has many already.

A dataset of N files is made without converting them: N small files in the source, N objects in the dataset, and a
ledger that knows both. Then one new file is converted, three times over; the median counts. What grows with N is the
listing of the source, and a line of the report for each file; requests for the file itself must not. At last many new
files at once: what each costs beside the first must not grow either. Beside both stands what a run takes that finds
nothing new, and what it takes to look at N files from Python.

On a folder, and on S3 if S3_ENDPOINT and COD_S3_FOLDER name a versitygw whose buckets are folders of this machine (as
tests/cluster/s3-start leaves it): so many objects are then put there as files.
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

SIZES = (1_000, 10_000, 100_000)
RUNS = 3
MANY = 500
# As earlier versions had them: the first run makes smaller ones of them, and seals them.
PART_RECORDS = 10_000


class Side:
    """A place for source and destination: a folder, or a bucket that is a folder."""

    def __init__(self, root, bucket=None):
        self.root, self.bucket = root, bucket
        base = f"s3://{bucket}" if bucket else root
        self.source, self.destination = f"{base}/in/", f"{base}/out/"

    def write(self, path, body, etag):
        path = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(body)
        if self.bucket:
            os.setxattr(path, b"user.etag", f'"{etag}"'.encode())
            return etag
        stat = os.stat(path)
        return f"{stat.st_mtime_ns // 1000:x}-{stat.st_size:x}"

    def ledger_key(self, name):
        return f"s3://{self.bucket}/in/{name}" if self.bucket else name


def convert(converter, config, side, report):
    began = time.perf_counter()
    command = [converter, "run", "--config", config, "--source", side.source, "--destination", side.destination]
    subprocess.run([*command, "--report", report, "--quiet"], check=True)
    seconds = time.perf_counter() - began
    with open(report) as f:
        return seconds, json.load(f)


def fill(side, state, count):
    """Adds files, objects and records as if they had been converted."""
    heads = os.path.join(side.root, state, "head")
    with open(os.path.join(heads, max(os.listdir(heads)))) as f:
        head = json.load(f)
    with open(os.path.join(side.root, "out", head["parts"][0]["key"])) as f:
        first = json.loads(f.readline())
    records, sample = [first], first["published"]["objects"][0]
    for number in range(count):
        name = f"old/{number % 100:02}/file-{number:07}.nc"
        etag = side.write(f"in/{name}", b"old", f"{number:032x}")
        folder = sample["key"].rsplit("/", 1)[0]
        key = f"{folder}/file-{number:07}.nc-0.parquet"
        known = side.write(f"out/{key}", b"rows", f"{number:032x}")
        record = json.loads(json.dumps(first))
        record["key"] = side.ledger_key(name)
        record["published"]["etag"] = record["last"]["etag"] = etag
        record["published"]["objects"] = [{**sample, "key": key, "etag": known}]
        records.append(record)
    records.sort(key=lambda record: record["key"].encode())
    parts = []
    for at in range(0, len(records), PART_RECORDS):
        part = records[at : at + PART_RECORDS]
        key = f"{state.removeprefix('out/')}/ledger/made/part-{at // PART_RECORDS:05}.jsonl"
        side.write(f"out/{key}", "".join(json.dumps(record) + "\n" for record in part).encode(), f"{at:032x}")
        parts.append({"key": key, "first": part[0]["key"], "records": len(part)})
    head["generation"] += 1
    head["parts"] = parts
    head["totals"] = {**head["totals"], "processed": len(records), "objects": len(records)}
    side.write(f"{state}/head/{head['generation']:020}", json.dumps(head).encode(), "0" * 32)


def measure(args, side, count, scratch):
    report = os.path.join(scratch, "report.json")
    with open(args.file, "rb") as f:
        body = f.read()
    side.write("in/0-first.nc", body, "f" * 32)
    convert(args.converter, args.config, side, report)
    states = os.path.join(side.root, "out", "_cod")
    fill(side, f"out/_cod/{os.listdir(states)[0]}", count)
    convert(args.converter, args.config, side, report)
    idle = min(convert(args.converter, args.config, side, report)[0] for _ in range(RUNS))
    looked = look(os.path.join(side.root, "in"))
    told = []
    for number in range(RUNS):
        side.write(f"in/new-{number}.nc", body, f"{number:031x}f")
        seconds, result = convert(args.converter, args.config, side, report)
        files = result["files"]
        if (files["processed"], files["unchanged"]) != (1, count + 1 + number):
            sys.exit(f"flat: {files}")
        told.append((seconds, result["requests"]))
    for number in range(MANY):
        side.write(f"in/many-{number}.nc", body, f"{number:030x}ff")
    seconds, result = convert(args.converter, args.config, side, report)
    if result["files"]["processed"] != MANY:
        sys.exit(f"flat: {result['files']}")
    one = statistics.median(seconds for seconds, _ in told)
    return {"seconds": one, "idle": idle, "look": looked, "each": (seconds - one) / (MANY - 1)}, told[-1][1]


def look(folder):
    """Seconds to ask for all files of a folder."""
    began = time.perf_counter()
    folders = [folder]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir():
                    folders.append(entry.path)
                else:
                    entry.stat()
    return time.perf_counter() - began


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("converter")
    parser.add_argument("config")
    parser.add_argument("file")
    parser.add_argument("--out")
    args = parser.parse_args()
    kinds = ["folder"]
    buckets = os.environ.get("COD_S3_FOLDER")
    if os.environ.get("S3_ENDPOINT") and buckets:
        kinds.append("S3")
    results = []
    for kind in kinds:
        for count in SIZES:
            with tempfile.TemporaryDirectory() as scratch:
                if kind == "S3":
                    bucket = f"flat-{os.getpid()}-{count}"
                    side = Side(os.path.join(buckets, bucket), bucket)
                else:
                    side = Side(os.path.join(scratch, "side"))
                os.makedirs(side.root)
                seconds, requests = measure(args, side, count, scratch)
                shutil.rmtree(side.root)
            results.append({"store": kind, "known": count, **{name: round(value, 5) for name, value in seconds.items()}, "requests": requests})
            asked = "; ".join(
                f"{name}: " + ", ".join(f"{n} {kind}" for kind, n in counts.items() if n) for name, counts in requests.items()
            )
            of_run = f"{seconds['seconds']:6.3f} s (idle {seconds['idle']:.3f}, a look {seconds['look']:.3f})"
            print(f"{kind:6}  {count:7,} files known  {of_run}  each of many {seconds['each'] * 1000:.1f} ms  {asked}", flush=True)
    if args.out:
        with open(args.out, "w") as f:
            json.dump(results, f, indent=2)
    # The file itself: one GET, one PUT and one copy, and no look at any other object, however many there are.
    for kind in kinds:
        of = [result["requests"] for result in results if result["store"] == kind]
        for name in ("get", "head"):
            if len({requests["source"][name] for requests in of}) > 1:
                sys.exit(f"flat: {kind}: the source's {name} requests grow with the dataset")
        for name in ("put", "copy", "delete", "head", "list"):
            if len({requests["destination"][name] for requests in of}) > 1:
                sys.exit(f"flat: {kind}: the destination's {name} requests grow with the dataset")


if __name__ == "__main__":
    main()
