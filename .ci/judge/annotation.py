"""Checks JSON against a Python type annotation: the TypedDicts and pydantic models that vendors' SDKs are made of.

Why not pydantic alone: it ignores unknown members of a TypedDict, turns text into numbers, and the SDKs' own models keep
what they do not know. Here an unknown member, a missing one and a wrong kind of value are all complaints.
"""

import base64
import binascii
import collections.abc
import datetime
import enum
import functools
import inspect
import sys
import types
import typing

import pydantic
import typing_extensions

# Members that tell the variants of a union apart, in the order they are looked at.
TAGS = ("type", "role", "object")

UNIONS = (typing.Union, types.UnionType)
LITERALS = (typing.Literal, typing_extensions.Literal)
REQUIRED, NOT_REQUIRED = typing_extensions.Required, typing_extensions.NotRequired


def complaints(value, annotation, path="$", allowed=None):
    """What is wrong with `value`, one line each. `allowed` names members that may stand though the SDK does not know them,
    by the class they stand in; under "*", those that may stand in any."""
    return Checker(allowed or {}).check(value, annotation, path)


def shown(value):
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def is_record(annotation):
    """Whether an annotation is a class with named members."""
    return inspect.isclass(annotation) and (
        typing_extensions.is_typeddict(annotation) or issubclass(annotation, pydantic.BaseModel)
    )


class Member(typing.NamedTuple):
    annotation: object
    required: bool


@functools.cache
def members(record):
    """The members of a TypedDict or a pydantic model, by their names on the wire."""
    if typing_extensions.is_typeddict(record):
        hints = typing_extensions.get_type_hints(record, include_extras=True)
        demanded = demanded_by_default(record)
        return {name: typed_member(hint, name in demanded) for name, hint in hints.items()}
    try:
        record.model_rebuild()
    except pydantic.errors.PydanticUndefinedAnnotation:
        pass
    found = {}
    for name, field in record.model_fields.items():
        found[field.serialization_alias or field.alias or name] = Member(resolved(field.annotation, record), field.is_required())
    return found


def demanded_by_default(record):
    """The members of a TypedDict that stand in a class of it that is total; the classes it is made of may differ."""
    bases = [base for base in getattr(record, "__orig_bases__", ()) if typing_extensions.is_typeddict(base)]
    inherited = {name for base in bases for name in base.__annotations__}
    own = set(record.__annotations__) - inherited if getattr(record, "__total__", True) else set()
    return own.union(*map(demanded_by_default, bases))


def typed_member(hint, demanded):
    origin = typing_extensions.get_origin(hint)
    if origin is REQUIRED:
        return Member(typing_extensions.get_args(hint)[0], True)
    if origin is NOT_REQUIRED:
        return Member(typing_extensions.get_args(hint)[0], False)
    return Member(hint, demanded)


def resolved(annotation, record):
    """A forward reference, as its own module understands it."""
    if isinstance(annotation, str):
        annotation = typing.ForwardRef(annotation)
    if isinstance(annotation, typing.ForwardRef):
        return eval(annotation.__forward_arg__, vars(sys.modules[record.__module__]))  # noqa: S307: the SDK's own text
    return annotation


def tag_of(record, tag):
    """The values that a record's tag may have, or None when it has no such tag."""
    member = members(record).get(tag)
    if member is None:
        return None
    values = literals(member.annotation)
    return values or None


def is_implied_tag(record, tag):
    """Whether a model fills in its own tag when it is made in Python; on the wire the tag must still stand."""
    if typing_extensions.is_typeddict(record):
        return False
    default = next((field.default for name, field in record.model_fields.items() if (field.alias or name) == tag), None)
    return default in (tag_of(record, tag) or ())


def literals(annotation):
    origin = typing_extensions.get_origin(annotation)
    if origin in LITERALS:
        return set(typing_extensions.get_args(annotation))
    if origin is typing.Annotated:
        return literals(typing_extensions.get_args(annotation)[0])
    if origin in UNIONS:
        parts = [literals(one) for one in typing_extensions.get_args(annotation) if one is not type(None)]
        return set().union(*parts) if all(parts) else set()
    return set()


class Checker:
    def __init__(self, allowed):
        self.allowed = allowed

    def check(self, value, annotation, path, module=None):
        if isinstance(annotation, typing.ForwardRef) and module is not None:
            annotation = eval(annotation.__forward_arg__, vars(sys.modules[module]))  # noqa: S307: the SDK's own text
        if annotation in (typing.Any, object) or isinstance(annotation, typing.TypeVar):
            return []
        if annotation in (None, type(None)):
            return [] if value is None else [f"{path}: must be null, is {shown(value)}"]
        if isinstance(annotation, (typing.NewType, typing_extensions.TypeAliasType)):
            return self.check(value, getattr(annotation, "__supertype__", None) or annotation.__value__, path, module)
        origin, args = typing_extensions.get_origin(annotation), typing_extensions.get_args(annotation)
        if origin in (typing.Annotated, REQUIRED, NOT_REQUIRED):
            return self.check(value, args[0], path, module)
        if origin in UNIONS:
            return self.union(value, args, path, module)
        if origin in LITERALS:
            fits = any(value == one and type(value) is type(one) for one in args)
            return [] if fits else [f"{path}: {shown(value)} is none of {', '.join(map(repr, args))}"]
        if is_record(annotation):
            return self.record(value, annotation, path)
        if inspect.isclass(origin) and issubclass(origin, collections.abc.Mapping) or annotation is dict:
            return self.mapping(value, args, path, module)
        sequence = origin if inspect.isclass(origin) else annotation
        if inspect.isclass(sequence) and sequence is not str and (
            issubclass(sequence, collections.abc.Iterable) and sequence not in (bytes, dict) or "Sequence" in sequence.__name__
        ) and not issubclass(sequence, enum.Enum):
            return self.sequence(value, args, path, module)
        return scalar(value, annotation, path)

    def union(self, value, variants, path, module):
        fitting, tags = [], set()
        if typing.Any in variants and any(literals(one) for one in variants):
            # How the cohere SDK writes an open list of values; what it does not know yet is judged as unknown here.
            variants = [one for one in variants if one is not typing.Any]
        for variant in variants:
            bare = typing_extensions.get_args(variant)[0] if typing_extensions.get_origin(variant) is typing.Annotated else variant
            wrong = self.wrong_tag(value, bare)
            if wrong:
                tags |= wrong
            else:
                fitting.append(bare)
        if not fitting:
            known = ", ".join(sorted(map(repr, tags)))
            return [f"{path}: no variant takes {shown(tag_text(value))}; known: {known}"]
        found = [self.check(value, variant, path, module) for variant in fitting]
        if any(not one for one in found):
            return []
        # The variant of the same kind, and with the least against it, is the one that was meant.
        return min(found, key=lambda one: (all(line.startswith(f"{path}: must be") for line in one), len(one)))

    def wrong_tag(self, value, variant):
        """The tags that a variant knows, when the value's is none of them."""
        if not isinstance(value, dict) or not is_record(variant):
            return None
        for tag in TAGS:
            known = tag_of(variant, tag)
            if known and isinstance(value.get(tag), str) and value[tag] not in known:
                return known
        return None

    def record(self, value, record, path):
        if not isinstance(value, dict):
            return [f"{path}: must be an object ({record.__name__}), is {shown(value)}"]
        known, found = members(record), []
        for name in value:
            if name not in known and name not in self.allowed.get("*", ()) and name not in self.allowed.get(record.__name__, ()):
                found.append(f"{path}: {record.__name__} has no member {name!r}")
        for name, member in known.items():
            if name in value:
                found += self.check(value[name], member.annotation, f"{path}.{name}", record.__module__)
            elif member.required or (name in TAGS and is_implied_tag(record, name)):
                found.append(f"{path}: {record.__name__} needs {name!r}")
        return found

    def mapping(self, value, args, path, module):
        if not isinstance(value, dict):
            return [f"{path}: must be an object, is {shown(value)}"]
        if len(args) != 2:
            return []
        return [line for name, one in value.items() for line in self.check(one, args[1], f"{path}.{name}", module)]

    def sequence(self, value, args, path, module):
        if not isinstance(value, list):
            return [f"{path}: must be an array, is {shown(value)}"]
        inner = args[0] if args else typing.Any
        return [line for place, one in enumerate(value) for line in self.check(one, inner, f"{path}[{place}]", module)]


def tag_text(value):
    return {tag: value[tag] for tag in TAGS if isinstance(value, dict) and tag in value}


def scalar(value, annotation, path):
    wrong = [f"{path}: must be {getattr(annotation, '__name__', annotation)}, is {shown(value)}"]
    if annotation is bool:
        return [] if isinstance(value, bool) else wrong
    if annotation is int:
        return [] if isinstance(value, int) and not isinstance(value, bool) else wrong
    if annotation is float:
        return [] if isinstance(value, (int, float)) and not isinstance(value, bool) else wrong
    if annotation in (str, datetime.datetime, datetime.date):
        return [] if isinstance(value, str) else wrong
    if annotation is bytes:
        return [] if isinstance(value, str) and is_base64(value) else [f"{path}: must be base64, is {shown(value)}"]
    if inspect.isclass(annotation) and issubclass(annotation, enum.Enum):
        known = {one.value for one in annotation}
        return [] if value in known else [f"{path}: {shown(value)} is no {annotation.__name__}"]
    if inspect.isclass(annotation) or inspect.isclass(typing_extensions.get_origin(annotation)):
        return wrong  # an open file, a path: nothing that JSON holds
    raise TypeError(f"{path}: the judge does not understand the annotation {annotation!r}")


def is_base64(text):
    try:
        base64.b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        return False
    return True
