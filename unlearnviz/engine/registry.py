"""Registry: methods and probes by name; subclassing adds, re-running a notebook cell replaces."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Generic, TypeVar

from unlearnviz.errors import BadSetting, unknown

T = TypeVar("T")


class Registry(Generic[T]):
    """Classes of one kind by their kebab-case name: `GradientAscent` is "gradient-ascent".

    Args:
        kind: what the classes are, for messages ("method", "probe").
        package: the package whose modules are imported before the first look-up, so that a new file is enough.
    """

    def __init__(self, kind: str, package: str) -> None:
        self.kind = kind
        self._package = package
        self._classes: dict[str, type[T]] = {}
        self._imported = False

    def add(self, cls: type[T]) -> str:
        """Register a class and return its name.

        Raises:
            BadSetting: another module already defined a class of this name.
        """
        if not cls.__module__.startswith(f"{self._package}."):
            self._import_all()  # so that the later class is the one that is refused
        name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", cls.__name__).lower()
        present = self._classes.get(name)
        if present is not None and present.__module__ != cls.__module__:
            raise BadSetting(
                f"A {self.kind} named {name!r} already exists in {present.__module__}; give the one in {cls.__module__} another class name."
            )
        self._classes[name] = cls
        return name

    def _import_all(self) -> None:
        if not self._imported:
            package: ModuleType = importlib.import_module(self._package)
            for module in pkgutil.iter_modules(package.__path__):
                importlib.import_module(f"{self._package}.{module.name}")
            self._imported = True

    def __getitem__(self, name: str) -> type[T]:
        self._import_all()
        key = str(name).replace("_", "-").replace(" ", "-").lower()
        for known, cls in self._classes.items():
            if key in (known, cls.__name__.lower()):
                return cls
        raise unknown(self.kind, name, self._classes)

    def __iter__(self) -> Iterator[str]:
        self._import_all()
        return iter(sorted(self._classes))

    def make(self, given: object, parent: type[T]) -> T:
        """An instance from an instance, a class or a name; with default settings where none are given.

        Raises:
            UnknownName: none of these, or a name that is not known.
        """
        if isinstance(given, parent):
            return given
        cls = given if isinstance(given, type) and issubclass(given, parent) else self[str(given)]
        return cls()

    def classes(self) -> list[type[T]]:
        """Every registered class, by name."""
        return [self[name] for name in self]
