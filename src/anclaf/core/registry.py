"""Parts that are chosen by name: those of this package, and those that other packages bring.

A part of this package stands in its registry as `module:object` and is imported when it is asked for, so that names
can be listed without importing torch. Another package brings a part by a call of `register`, or by an entry point::

    [project.entry-points."anclaf.heads"]
    GRU = "my_package.heads:GruHead"
"""

import re
from collections.abc import Mapping
from functools import cached_property
from importlib import import_module, metadata
from typing import Any, Generic, TypeVar

from anclaf.core.errors import ConfigError

Part = TypeVar("Part")

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]*")


class Registry(Generic[Part]):
    """Parts of one kind by name.

    Args:
        what: a part of this kind, for messages (`recurrent head`).
        group: of entry points that bring such parts.
        own: name -> `module:object`, of this package.
    """

    def __init__(self, what: str, group: str, own: Mapping[str, str]):
        self.what, self.group = what, group
        self._own = dict(own)
        self._registered: dict[str, Part] = {}

    def register(self, name: str, part: Part) -> Part:
        """Add a part for this process; the name must be free. Other processes (workers) need an entry point.

        Raises:
            ConfigError: the name is taken, or is not letters, digits and hyphens.
        """
        if not _NAME.fullmatch(name):
            raise ConfigError(f"{self.what} {name!r}: expected a letter, then letters, digits and hyphens")
        if name in self.names():
            raise ConfigError(f"{self.what} {name!r}: there is one of this name; choose another")
        self._registered[name] = part
        return part

    def unregister(self, name: str) -> None:
        """Take away a part that `register` added."""
        del self._registered[name]

    @cached_property
    def _entry_points(self) -> dict[str, metadata.EntryPoint]:
        return {point.name: point for point in metadata.entry_points(group=self.group)}

    def names(self) -> tuple[str, ...]:
        """Names of all parts, this package's first; none of them is imported."""
        return tuple(dict.fromkeys([*self._own, *self._entry_points, *self._registered]))

    def __contains__(self, name: object) -> bool:
        return name in self.names()

    def get(self, name: str) -> Part:
        """The part of this name.

        Raises:
            ConfigError: there is none, or the package that brings it cannot be imported.
        """
        if name in self._registered:
            return self._registered[name]
        if name in self._own:
            module, _, attribute = self._own[name].partition(":")
            part: Any = getattr(import_module(module), attribute)
            return part
        if name in self._entry_points:
            try:
                return self._entry_points[name].load()
            except Exception as error:  # whatever the package's fault is, parts of others can still be used
                words = " ".join(f"{type(error).__name__}: {error}".split())
                raise ConfigError(f"{self.what} {name!r}: its package cannot be imported ({words})") from error
        raise ConfigError(f"{self.what} {name!r}: expected one of {', '.join(self.names())}")
