"""Makes or removes buckets on the server that AWS_ENDPOINT_URL names.

buckets.py make NAME...      those that are there already are kept as they are
buckets.py remove NAME...    with everything in them
"""

import os
import sys

from pyarrow import fs


def main() -> None:
    verb, *names = sys.argv[1:]
    store = fs.S3FileSystem(
        endpoint_override=os.environ["S3_ENDPOINT"],
        region=os.environ.get("AWS_REGION", "us-east-1"),
        allow_bucket_creation=True,
        allow_bucket_deletion=True,
    )
    for name in names:
        if verb == "make":
            store.create_dir(name)
        elif verb == "remove":
            if store.get_file_info(name).type != fs.FileType.NotFound:
                empty(store, name)
                store.delete_dir(name)
        else:
            sys.exit(__doc__)


def empty(store: fs.S3FileSystem, name: str) -> None:
    """Objects before the folders they lie in: a server that keeps them as files has real folders."""
    found = store.get_file_info(fs.FileSelector(name, recursive=True))
    for info in found:
        if info.type == fs.FileType.File:
            store.delete_file(info.path)
    for path in sorted((info.path for info in found if info.type == fs.FileType.Directory), reverse=True):
        if store.get_file_info(path).type != fs.FileType.NotFound:
            store.delete_dir(path)


main()
