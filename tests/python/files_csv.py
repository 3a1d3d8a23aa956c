"""Prints the lines of a files.csv on S3 as JSON.

files_csv.py BUCKET/KEY
"""

import csv
import io
import json
import os
import sys

from pyarrow import fs


def main() -> None:
    store = fs.S3FileSystem(
        endpoint_override=os.environ["S3_ENDPOINT"],
        region=os.environ.get("AWS_REGION", "us-east-1"),
    )
    with store.open_input_stream(sys.argv[1]) as source:
        text = source.read().decode()
    lines = list(csv.DictReader(io.StringIO(text, newline="")))
    print(json.dumps([{**line, "rows": int(line["rows"])} for line in lines]))


main()
