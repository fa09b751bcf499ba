"""Schemas of Protobuf as a registry serves them, serialized, without a compiler of .proto files."""

from __future__ import annotations

import base64
from typing import Any

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto

Type = FieldDescriptorProto.Type
KINDS = {
    "double": Type.TYPE_DOUBLE,
    "float": Type.TYPE_FLOAT,
    "int64": Type.TYPE_INT64,
    "uint64": Type.TYPE_UINT64,
    "int32": Type.TYPE_INT32,
    "bool": Type.TYPE_BOOL,
    "string": Type.TYPE_STRING,
    "bytes": Type.TYPE_BYTES,
}


def field(message: Any, number: int, name: str, kind: str, repeated: bool = False, optional: bool = False) -> None:
    """A kind of KINDS, or the full name of a message with a dot before it, or of an enum with a colon."""
    one = message.field.add(name=name, number=number)
    one.label = FieldDescriptorProto.LABEL_REPEATED if repeated else FieldDescriptorProto.LABEL_OPTIONAL
    if kind in KINDS:
        one.type = KINDS[kind]
    else:
        one.type, one.type_name = (Type.TYPE_MESSAGE, kind) if kind[0] == "." else (Type.TYPE_ENUM, kind[1:])
    if optional:
        one.proto3_optional, one.oneof_index = True, len(message.oneof_decl)
        message.oneof_decl.add(name=f"_{name}")


def mapping(message: Any, number: int, name: str, kind: str, above: str, key: str = "string") -> None:
    entry = message.nested_type.add(name=f"{name.title()}Entry")
    entry.options.map_entry = True
    field(entry, 1, "key", key)
    field(entry, 2, "value", kind)
    field(message, number, name, f".{above}.{entry.name}", repeated=True)


def file(name: str = "events.proto", package: str = "shop", *dependencies: str) -> FileDescriptorProto:
    return FileDescriptorProto(name=name, package=package, syntax="proto3", dependency=dependencies)


def text_of(of: FileDescriptorProto) -> str:
    return base64.b64encode(of.SerializeToString()).decode()


def message_of(name: str, *files: FileDescriptorProto) -> Any:
    """The class of a message, for the producer's side."""
    import importlib

    pool, known = descriptor_pool.DescriptorPool(), set[str]()
    for one in files:
        for wanted in one.dependency:
            if wanted.startswith("google/protobuf/") and wanted not in known:
                known.add(wanted)
                module = wanted.removesuffix(".proto").replace("/", ".") + "_pb2"
                pool.AddSerializedFile(importlib.import_module(module).DESCRIPTOR.serialized_pb)
        pool.Add(one)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


def events() -> FileDescriptorProto:
    """`package shop`: Skipped, and Event with a Features of its own."""
    made = file("events.proto", "shop", "google/protobuf/timestamp.proto")
    made.message_type.add(name="Skipped")
    event = made.message_type.add(name="Event")
    features = event.nested_type.add(name="Features")
    field(features, 1, "amount", "double")
    field(features, 2, "age", "int64", optional=True)
    field(features, 3, "country", ":.shop.Country")
    field(features, 4, "emb", "float", repeated=True)
    field(event, 1, "model", "string")
    field(event, 2, "time", ".google.protobuf.Timestamp")
    field(event, 3, "features", ".shop.Event.Features")
    countries = made.enum_type.add(name="Country")
    for number, name in enumerate(("UNKNOWN", "NL", "DE")):
        countries.value.add(name=name, number=number)
    return made
