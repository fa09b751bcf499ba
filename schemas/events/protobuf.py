"""Protobuf as Google's library reads it, with the values that JSON would have, by the names of the .proto file.

The library's own way to JSON makes texts of 64-bit numbers and leaves zeros out; a detector wants both as they are. So
fields without presence have their zero, those with it are null when they are not set.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from schemas.events.convert import Rejected

PER_BYTE = 32
"""Values that a byte may stand for, about: two bytes make a message, with all its fields."""
FREE_MAX = 10_000
"""And so many in any case."""
INDEXES_MAX = 32
"""Messages within messages that the schema defines so."""
KNOWN = "any duration empty field_mask struct timestamp wrappers"
"""Files that every schema may build on, and no registry has."""

Left = list[int]
"""How many values may still come of a record; one number."""
Walk = Callable[[Any, Left], Any]


@cache
def _google() -> Any:
    """Loaded when the first schema comes: most configs name no registry."""
    try:
        from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory
    except ImportError:
        raise ValueError("protobuf is not installed: pip install 'driftline[registry]'") from None
    return descriptor_pb2, descriptor_pool, message, message_factory


@cache
def _known() -> dict[str, Any]:
    """The files of KNOWN, by name."""
    import importlib

    files = [importlib.import_module(f"google.protobuf.{name}_pb2").DESCRIPTOR for name in KNOWN.split()]
    return {file.name: file.serialized_pb for file in files}


def reader_of(text: str, references: Iterable[tuple[str, str]], skip: int) -> Callable[[bytes], Any]:
    """What reads values of a schema that begin after `skip` bytes with the path of their message. `references`: name
    and text of each schema that it builds on, texts being serialized and in base64. Raises ValueError, with one line
    that says why, for a schema that cannot be used.
    """
    descriptors, pools, messages, factory = _google()
    pool, added = pools.DescriptorPool(), set[str]()

    def add(name: str, data: bytes) -> Any:
        try:
            file = descriptors.FileDescriptorProto.FromString(data)
        except messages.DecodeError:
            raise ValueError(f"{name} is no serialized FileDescriptorProto") from None
        file.name = name
        added.add(name)
        for wanted in file.dependency:
            if wanted not in added:  # Of what nobody has, such as confluent/meta.proto, only options are used.
                add(wanted, _known().get(wanted, b""))
        try:
            pool.Add(file)
        except TypeError as error:
            raise ValueError(" ".join(str(error).split())) from None
        return file

    for name, part in references:
        if name not in added:
            add(name, _serialized(part))
    root = add("driftline.proto", _serialized(text))
    walks: dict[str, Walk] = {}
    made: dict[tuple[int, ...], tuple[Any, Walk]] = {}

    def document(value: bytes) -> Any:
        path, begin = _path(value, skip)
        if path not in made:
            descriptor = pool.FindMessageTypeByName(_name(root, path))
            made[path] = factory.GetMessageClass(descriptor), walk_of(descriptor, walks)
        kind, walk = made[path]
        message = kind()
        try:
            message.ParseFromString(value[begin:])
        except messages.DecodeError:
            raise ValueError("it is no such message") from None
        return walk(message, [PER_BYTE * len(value) + FREE_MAX])

    return document


def _serialized(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise ValueError(
            "it came as text: the registry does not serve it serialized (format=serialized), as Confluent's does"
        ) from None


def _path(value: bytes, at: int) -> tuple[tuple[int, ...], int]:
    """Which message of the schema it is: its number, then that of the one within it, and so on; and where it begins."""
    count, at = _varint(value, at)
    if count == 0:
        return (0,), at
    if not 0 < count <= INDEXES_MAX:
        raise ValueError("a path of no message")
    path = []
    for _ in range(count):
        index, at = _varint(value, at)
        path.append(index)
    return tuple(path), at


def _varint(value: bytes, at: int) -> tuple[int, int]:
    """A number in zigzag, and where it ends."""
    number = shift = 0
    while shift < 35:
        byte = value[at]
        at, number, shift = at + 1, number | (byte & 127) << shift, shift + 7
        if byte < 128:
            return (number >> 1) ^ -(number & 1), at
    raise ValueError("no number")


def _name(file: Any, path: tuple[int, ...]) -> str:
    names, below = [file.package] if file.package else [], file.message_type
    for index in path:
        if index < 0:
            raise IndexError(index)
        names.append(below[index].name)
        below = below[index].nested_type
    return ".".join(names)


def walk_of(descriptor: Any, walks: dict[str, Walk]) -> Walk:
    """What makes a plain value of a message. Messages may lie in themselves: the library ends at a depth of 100."""
    name = descriptor.full_name
    if name in WELL_KNOWN:
        return WELL_KNOWN[name]
    if name not in walks:
        plan: list[tuple[str, bool, Walk | None]] = []

        def walk(message: Any, left: Left) -> dict[str, Any]:
            _spend(left, len(plan) + 1)
            found: dict[str, Any] = {}
            for field, presence, of in plan:
                if presence and not message.HasField(field):
                    found[field] = None
                else:
                    value = getattr(message, field)
                    found[field] = value if of is None else of(value, left)
            return found

        walks[name] = walk
        plan += [(field.name, field.has_presence, _field(field, walks)) for field in descriptor.fields]
    return walks[name]


def _spend(left: Left, values: int) -> None:
    left[0] -= values
    if left[0] < 0:
        raise Rejected("too_large", f"more than {PER_BYTE} values for each of its bytes")


def _field(field: Any, walks: dict[str, Walk]) -> Walk | None:
    """What is made of the value of a field; None: nothing."""
    message = field.message_type
    if message is not None and message.GetOptions().map_entry:
        return _map(_one(message.fields_by_name["value"], walks))
    one = _one(field, walks)
    if not field.is_repeated:
        return one
    if one is None:
        return lambda values, left: list(values)
    return lambda values, left: [one(value, left) for value in values]


def _map(one: Walk | None) -> Walk:
    """In the order of its keys: the library has them in that of a hash."""

    def walk(values: Any, left: Left) -> dict[str, Any]:
        items = ((_key(key), values[key]) for key in sorted(values))
        return {key: value if one is None else one(value, left) for key, value in items}

    return walk


def _key(key: Any) -> str:
    return ("false", "true")[key] if type(key) is bool else str(key)


def _one(field: Any, walks: dict[str, Walk]) -> Walk | None:
    if field.message_type is not None:
        return walk_of(field.message_type, walks)
    if field.enum_type is not None:
        names = {number: value.name for number, value in field.enum_type.values_by_number.items()}
        return lambda number, left: names.get(number) or str(number)
    if field.type == field.TYPE_BYTES:
        return lambda data, left: base64.b64encode(data).decode()
    return None


def _value(message: Any, left: Left) -> Any:
    """Of Struct's family."""
    _spend(left, 1)
    kind = message.WhichOneof("kind")
    if kind == "struct_value":
        return _struct(message.struct_value, left)
    if kind == "list_value":
        return _list(message.list_value, left)
    return None if kind in (None, "null_value") else getattr(message, kind)


def _struct(message: Any, left: Left) -> dict[str, Any]:
    return {name: _value(message.fields[name], left) for name in sorted(message.fields)}


def _list(message: Any, left: Left) -> list[Any]:
    return [_value(one, left) for one in message.values]


WELL_KNOWN: dict[str, Walk] = {
    "google.protobuf.Timestamp": lambda one, left: one.seconds * 1000 + one.nanos // 1_000_000,
    "google.protobuf.Duration": lambda one, left: one.seconds + one.nanos / 1e9,
    "google.protobuf.BytesValue": lambda one, left: base64.b64encode(one.value).decode(),
    "google.protobuf.Struct": _struct,
    "google.protobuf.Value": _value,
    "google.protobuf.ListValue": _list,
    **{
        f"google.protobuf.{kind}Value": lambda one, left: one.value
        for kind in "Double Float Int64 UInt64 Int32 UInt32 Bool String".split()
    },
}
"""Milliseconds since 1970, seconds, and what a wrapper or JSON's own message holds."""
