"""Pickles, and what Python makes of them, for the tests of the scanner (crates/base/artifacts).

    python3 tests/python/pickles.py > crates/base/artifacts/tests/fixtures/pickles.txt
    python3 tests/python/pickles.py 200000 > /tmp/pickles.txt && STOA_PICKLES=/tmp/pickles.txt cargo test -p stoa-artifacts

A line is a sign, the pickle in hex, and its imports. `=`: a pickle that Python made; the imports are exactly those that
`pickletools.genops` shows. `!`: opcodes by chance, at which one of Python's two unpicklers would have called or changed
something imported; the imports are those it had made by then. Nothing is executed: what is imported is a stub. The number
is how many programs of opcodes are tried; the same number gives the same lines.
"""

import array
import collections
import copyreg
import datetime
import decimal
import fractions
import functools
import http
import io
import operator
import os
import pathlib
import pickle
import pickletools
import random
import re
import resource
import struct
import subprocess
import sys
import types
import uuid


class Reduced:
    def __init__(self, *parts):
        self.parts = parts

    def __reduce__(self):
        return self.parts


class Held(pickle._Pickler):
    """Has persistent ids, as torch's storages."""

    def persistent_id(self, value):
        return "held" if isinstance(value, memoryview) else None


class Log(Exception):
    """Ends an unpickling: an import was used."""


class Meta(type):
    def __call__(cls, *args, **kwargs):
        raise Log

    append = extend = add = __setitem__ = __setstate__ = __call__


class Stub(metaclass=Meta):
    def __new__(cls, *args, **kwargs):
        raise Log


def name_of(module, name):
    return f"{module}:{name}" if "." in name else f"{module}.{name}"


def unpickler(base):
    class Watching(base):
        def __init__(self, data):
            super().__init__(io.BytesIO(data))
            self.found = []

        def find_class(self, module, name):
            if not module or not name:
                raise ValueError
            self.found.append(name_of(module, name))
            return Meta("Stub", (Stub,), {})

        def persistent_load(self, _):
            return None

    return Watching


UNPICKLERS = [unpickler(pickle._Unpickler), unpickler(pickle.Unpickler)]


def used(data):
    """The imports that had been made when one was used; none where none was."""
    for kind in UNPICKLERS:
        made = kind(data)
        try:
            made.load()
        except Log:
            return sorted(set(made.found))
        except Exception:
            pass
    return None


def shown(data):
    """The imports by genops: a STACK_GLOBAL takes the two texts that were pushed last."""
    found, texts, memo, last = set(), [], {}, None
    for opcode, argument, _ in pickletools.genops(data):
        name = opcode.name
        if name in ("GLOBAL", "INST"):
            found.add(name_of(*argument.split(" ", 1)))
            last = None
        elif name == "STACK_GLOBAL":
            found.add(name_of(*texts[-2:]))
            last = None
        elif name == "MEMOIZE" or "PUT" in name:
            memo[len(memo) if name == "MEMOIZE" else argument] = last
        else:
            last = memo[argument] if "GET" in name else argument if "UNICODE" in name or "STRING" in name else None
            if last is not None:
                texts.append(last)
    return sorted(found)


def values():
    plain = {"a": [1, 2.5, b"x" * 300, None, True], "b": ({3}, frozenset({4}), 1 << 70, -5, "ö" * 200), 7: bytearray(b"y")}
    return [
        plain, [plain, plain], "text", ("a", "b"), list(range(2000)), {str(n): n for n in range(300)}, [("k", "v")] * 3,
        collections.OrderedDict(a=1), collections.Counter("abc"), collections.deque([1], 5), collections.defaultdict(list),
        datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc), datetime.timedelta(1), decimal.Decimal("1.5"),
        fractions.Fraction(1, 3), uuid.UUID(int=5), complex(1, 2), slice(1, 2, 3), range(4), pathlib.PurePosixPath("a/b"),
        re.compile("a+"), re.IGNORECASE, http.HTTPStatus.OK, array.array("d", [1.0]), functools.partial(print, 1, end=""),
        operator.itemgetter(1), operator.attrgetter("a.b"), ValueError("x"), OSError(2, "no"), types.SimpleNamespace(a=[1]),
        len, int, str.join, [].append, datetime.datetime.now, collections.OrderedDict.fromkeys, dict, type(None), Ellipsis,
        Reduced(os.system, ("id",)), Reduced(subprocess.Popen, (["id"],)), Reduced(eval, ("1",)), Reduced(exec, ("1",)),
        Reduced(getattr, (os.path.join, "__globals__")),
        Reduced(copyreg._reconstructor, (collections.OrderedDict, dict, {})), Reduced(print, ("x",), {"state": 1}),
        Reduced(list, (), None, iter([1, 2, 3])), Reduced(dict, (), None, None, iter([("a", 1)])),
        Reduced(collections.OrderedDict, (), None, None, iter([("os", "system")])),
        ["os", "system", Reduced(os.system, ("os",)), "os", Reduced(os.popen, ("system",))],
        [Reduced(os.system, ("a",)), [Reduced(os.system, ("b",)), {"posix": Reduced(os.getenv, ("x",))}]],
    ]


def honest():
    for protocol in range(6):
        for pickler in (pickle._Pickler, pickle.Pickler, Held):
            for value in values():
                out = io.BytesIO()
                try:
                    pickler(out, protocol).dump([value, memoryview(b"x")] if pickler is Held else value)
                except (TypeError, pickle.PicklingError, NotImplementedError):
                    continue
                data = out.getvalue()
                if len(data) < 700:
                    yield data
                    yield pickletools.optimize(data)


NAMES = [b"os", b"system", b"posix", b"a.b", b"m", b"run"]


def opcode(chance):
    name, other = chance.choice(NAMES), chance.choice(NAMES)
    number = chance.choice([0, 1, 1, 2, 3, 10, 255])
    text = str(number) if chance.random() < 0.8 else chance.choice([f" {number} ", f"+{number}", f"0{number}", "1_0", "-0", "x"])
    quoted = chance.choice([b"'" + name + b"'", b'"' + name + b'"', b"'\\x6fs'", name])
    binary = chance.choice([name, b"", b"\xff", b"x" * 9])
    return chance.choice([
        b"(", b"(", b")", b"]", b"}", b"N", b"0", b"1", b"2", b"t", b"l", b"d", b"\x85", b"\x86", b"\x87", b"\x8f", b"\x91",
        b"\x88", b"\x89", b"a", b"e", b"s", b"u", b"\x90", b"b", b"b", b"R", b"R", b"R", b"o", b"o", b"\x81", b"\x81", b"\x92",
        b"\x93", b"\x93", b"\x94", b"\x94", b"Q", b"\x98", b"\x97",
        b"c" + name + b"\n" + other + b"\n", b"c" + name + b"\n" + other + b"\n", b"i" + name + b"\n" + other + b"\n",
        b"i" + name + b"\n" + other, b"V" + name + b"\n", b"S" + quoted + b"\n", b"X" + struct.pack("<I", len(name)) + name,
        b"\x8c" + bytes([len(name)]) + name, b"\x8c" + bytes([len(name)]) + name, b"\x8d" + struct.pack("<Q", len(name)) + name,
        b"U" + bytes([len(binary)]) + binary, b"T" + struct.pack("<i", len(binary)) + binary,
        b"C" + bytes([len(binary)]) + binary, b"B" + struct.pack("<I", len(binary)) + binary,
        b"\x8e" + struct.pack("<Q", len(binary)) + binary, b"\x96" + struct.pack("<Q", len(binary)) + binary,
        b"p" + text.encode() + b"\n", b"g" + text.encode() + b"\n", b"q" + bytes([number]), b"h" + bytes([number]),
        b"r" + struct.pack("<I", number), b"j" + struct.pack("<I", number), b"I" + text.encode() + b"\n", b"K" + bytes([number]),
        b"L" + text.encode() + b"L\n", b"M" + struct.pack("<H", number), b"J" + struct.pack("<i", number),
        b"F1.5\n", b"G" + struct.pack(">d", 1.5), b"\x8a\x01\x05", b"\x8b\x01\x00\x00\x00\x05", b"Pid\n", b".",
        b"\x80" + bytes([number]), b"\x95" + struct.pack("<Q", number),
    ])


def by_chance(tries):
    chance, seeds = random.Random(5), list(honest())
    for number in range(tries):
        if number % 4 == 0:
            made = bytearray(chance.choice(seeds))
            for _ in range(chance.randint(1, 3)):
                at = chance.randrange(len(made))
                if chance.random() < 0.5:
                    made[at:at + chance.randint(0, 2)] = opcode(chance)
                else:
                    made[at] = chance.randrange(256)
            yield bytes(made[:400])
        else:
            yield b"".join(opcode(chance) for _ in range(chance.randint(3, 22)))


def main():
    # A pickle may ask for more memory than there is.
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
    tries = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    lines = set()
    for data in honest():
        imports = shown(data)
        with_stubs = used(data)
        assert with_stubs is None or set(with_stubs) <= set(imports), data
        lines.add(("=", data.hex(), *imports))
    for data in by_chance(tries):
        imports = used(data)
        if imports is not None:
            lines.add(("!", data.hex(), *imports))
    for line in sorted(lines):
        print(*line)


main()
