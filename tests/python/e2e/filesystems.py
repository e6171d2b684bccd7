"""File systems over S3: one check of `test_s3_clients.py`, run in the environment of `requirements-fs.txt`.

`filesystems.py CHECK` with the server and the bucket in the environment; the last line printed is its finding as JSON.
"""

import json
import os
import sys

import pyarrow
import pyarrow.dataset
import pyarrow.fs
import pyarrow.parquet
import s3fs

URL, BUCKET = os.environ["STOA_URL"], os.environ["STOA_BUCKET"]
MIB = 1024 * 1024


def of_pyarrow():
    """Arrow's own file system: the C++ SDK."""
    scheme, host = URL.split("://")
    return pyarrow.fs.S3FileSystem(region=os.environ["AWS_DEFAULT_REGION"], scheme=scheme, endpoint_override=host)


def of_s3fs():
    """fsspec's: aiobotocore."""
    return s3fs.S3FileSystem(endpoint_url=URL, skip_instance_cache=True, use_listings_cache=False)


def arrow_view(way):
    """Either as Arrow takes it."""
    return of_pyarrow() if way == "pyarrow" else pyarrow.fs.PyFileSystem(pyarrow.fs.FSSpecHandler(of_s3fs()))


class Counted:
    """A file that counts what is read of it."""

    def __init__(self, file):
        self.file, self.read_bytes = file, 0

    def read(self, count=None):
        content = self.file.read(count)
        self.read_bytes += len(content)
        return content

    def __getattr__(self, name):
        return getattr(self.file, name)


def parquet(way):
    rows = 40_000
    table = pyarrow.table({
        "id": pyarrow.array(range(rows)),
        "score": pyarrow.array([number * 0.5 for number in range(rows)]),
        "noise": pyarrow.array([os.urandom(150) for _ in range(rows)]),
    })
    filesystem, path = arrow_view(way), f"{BUCKET}/tables/t.parquet"
    pyarrow.parquet.write_table(table, path, filesystem=filesystem, row_group_size=rows // 8, compression="snappy")
    with filesystem.open_input_file(path) as source:
        counted = Counted(source)
        file = pyarrow.parquet.ParquetFile(pyarrow.PythonFile(counted, mode="r"))
        group = file.read_row_group(3, columns=["id"])["id"].to_pylist()
        groups = file.num_row_groups
    column = pyarrow.parquet.read_table(path, filesystem=filesystem, columns=["score"])["score"].to_pylist()
    filtered = pyarrow.parquet.read_table(path, filesystem=filesystem, filters=[("id", ">=", 100), ("id", "<", 110)])
    return {
        "rows": len(column), "groups": groups, "column": column[:5] + column[-5:],
        "wanted_column": table["score"].to_pylist()[:5] + table["score"].to_pylist()[-5:],
        "group": group[:3], "wanted_group": [15_000, 15_001, 15_002], "filtered": filtered.num_rows,
        "size": filesystem.get_file_info(path).size, "read": counted.read_bytes,
    }


def files_pyarrow():
    filesystem = of_pyarrow()
    content = os.urandom(11 * MIB)
    with filesystem.open_output_stream(f"{BUCKET}/a/b/big.bin", metadata={"Content-Type": "x/y"}) as out:
        for at in range(0, len(content), 100_000):
            out.write(content[at : at + 100_000])
    with filesystem.open_input_stream(f"{BUCKET}/a/b/big.bin") as source:
        assert source.read() == content
        assert source.metadata()["Content-Type"] == b"x/y"
    with filesystem.open_input_file(f"{BUCKET}/a/b/big.bin") as source:
        source.seek(5 * MIB)
        assert source.read(1000) == content[5 * MIB : 5 * MIB + 1000]
        assert source.size() == len(content)
    found = filesystem.get_file_info(pyarrow.fs.FileSelector(f"{BUCKET}/a", recursive=True))
    assert {(one.path, one.type.name) for one in found} == {(f"{BUCKET}/a/b", "Directory"), (f"{BUCKET}/a/b/big.bin", "File")}
    assert filesystem.get_file_info(f"{BUCKET}/a/none").type == pyarrow.fs.FileType.NotFound
    filesystem.create_dir(f"{BUCKET}/empty/dir")
    assert filesystem.get_file_info(f"{BUCKET}/empty/dir").type == pyarrow.fs.FileType.Directory
    filesystem.copy_file(f"{BUCKET}/a/b/big.bin", f"{BUCKET}/copy.bin")
    filesystem.move(f"{BUCKET}/copy.bin", f"{BUCKET}/left/behind.bin")
    filesystem.delete_dir(f"{BUCKET}/a")
    filesystem.delete_dir(f"{BUCKET}/empty")
    with filesystem.open_input_stream(f"{BUCKET}/left/behind.bin") as source:
        assert source.read() == content
    try:
        filesystem.open_input_file(f"{BUCKET}/nothing")
        raise SystemExit("a file that is not there was opened")
    except FileNotFoundError:
        pass
    return {"ok": True}


def files_s3fs():
    filesystem = of_s3fs()
    content = os.urandom(11 * MIB)
    with filesystem.open(f"{BUCKET}/a/b/big.bin", "wb", block_size=5 * MIB) as out:
        out.write(content)
    assert filesystem.info(f"{BUCKET}/a/b/big.bin")["size"] == len(content)
    assert filesystem.cat_file(f"{BUCKET}/a/b/big.bin", start=7, end=77) == content[7:77]
    with filesystem.open(f"{BUCKET}/a/b/big.bin", "rb") as source:
        source.seek(-1000, 2)
        assert source.read() == content[-1000:]
    filesystem.pipe({f"{BUCKET}/a/{number}": bytes([number]) for number in range(5)})
    assert filesystem.glob(f"{BUCKET}/a/*") == [f"{BUCKET}/a/{number}" for number in range(5)] + [f"{BUCKET}/a/b"]
    assert filesystem.find(f"{BUCKET}/a", maxdepth=None)[-1] == f"{BUCKET}/a/b/big.bin"
    assert filesystem.isdir(f"{BUCKET}/a") and filesystem.isfile(f"{BUCKET}/a/1") and not filesystem.exists(f"{BUCKET}/x")
    filesystem.copy(f"{BUCKET}/a/b/big.bin", f"{BUCKET}/copy.bin")
    filesystem.mv(f"{BUCKET}/copy.bin", f"{BUCKET}/left/behind.bin")
    with filesystem.open(f"{BUCKET}/a/log", "ab") as out:
        out.write(b"one")
    with filesystem.open(f"{BUCKET}/a/log", "ab") as out:
        out.write(b"two")
    assert filesystem.cat(f"{BUCKET}/a/log") == b"onetwo"
    assert filesystem.du(f"{BUCKET}/a") == len(content) + 5 + 6
    filesystem.rm(f"{BUCKET}/a", recursive=True)
    assert filesystem.cat(f"{BUCKET}/left/behind.bin") == content
    try:
        filesystem.open(f"{BUCKET}/nothing").read()
        raise SystemExit("a file that is not there was opened")
    except FileNotFoundError:
        pass
    return {"ok": True}


def dataset(way):
    filesystem = arrow_view(way)
    table = pyarrow.table({"part": [number % 4 for number in range(1000)], "value": list(range(1000))})
    pyarrow.dataset.write_dataset(
        table, f"{BUCKET}/set", format="parquet", filesystem=filesystem,
        partitioning=pyarrow.dataset.partitioning(pyarrow.schema([("part", pyarrow.int64())]), flavor="hive"),
    )
    read = pyarrow.dataset.dataset(f"{BUCKET}/set", format="parquet", filesystem=filesystem, partitioning="hive")
    everything = read.to_table(columns=["value"])
    one = read.to_table(filter=pyarrow.dataset.field("part") == 3)
    return {"rows": everything.num_rows, "one_part": one.num_rows, "sum": sum(everything["value"].to_pylist())}


CHECKS = {
    "parquet-pyarrow": lambda: parquet("pyarrow"), "parquet-s3fs": lambda: parquet("s3fs"),
    "files-pyarrow": files_pyarrow, "files-s3fs": files_s3fs,
    "dataset-pyarrow": lambda: dataset("pyarrow"), "dataset-s3fs": lambda: dataset("s3fs"),
}

if __name__ == "__main__":
    print(json.dumps(CHECKS[sys.argv[1]]()))
