"""Which tests need what: the markers `process`, `browser` and `guide` are set here, from what a test calls.

`process` also stands for a whole sandbox. `make check` runs the tests that need none of them; a test that
starts a process all the same fails there, so that the quick lane stays quick.
"""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

from sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# The same examples every time, however busy the machine is: a run fails for a change, never for chance or for the time of day.
# `pytest -m hypothesis --hypothesis-profile soak`, which `make soak` does, looks for new ones.
_STEADY: dict[str, Any] = {"deadline": None, "suppress_health_check": [hypothesis.HealthCheck.too_slow]}
hypothesis.settings.register_profile("repeatable", derandomize=True, **_STEADY)
hypothesis.settings.register_profile("soak", max_examples=2000, **_STEADY)
hypothesis.settings.load_profile("repeatable")

ROOT = Path(__file__).resolve().parent
#: What starts a process, or both emulated services, by the object that a test's code names.
_STARTERS = (subprocess, os.fork, Sandbox)
#: A test with one of these markers is left out of the quick lane.
_NEEDS = ("process", "browser", "guide", "airflow", "soak")
_AUDITED = frozenset({"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.exec"})
#: Values of fixture parameters that need a process where the other values need none.
_PROCESS_PARAMETERS = frozenset({"postgresql"})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test by what it needs."""
    for item in items:
        if not isinstance(item, pytest.Function):
            continue
        if item.path.name == "test_guides.py":
            item.add_marker("guide")
        if "browser" in item.path.name:
            item.add_marker("browser")
        if _needs_process(item):
            item.add_marker("process")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Forbid starting processes while a test of the quick lane and its fixtures run, in whichever lane it runs now."""
    _Guard.forbidden = not any(item.get_closest_marker(need) for need in _NEEDS)
    try:
        return (yield)
    finally:
        _Guard.forbidden = False


class _Guard:
    """Whether the test that runs now may start processes."""

    forbidden = False

    @classmethod
    def audit(cls, event: str, _arguments: tuple[object, ...]) -> None:
        """Refuse to start a process."""
        if cls.forbidden and event in _AUDITED:
            cls.forbidden = False  # what pytest starts to report this is not the test's
            pytest.fail("starts a process: mark it with `pytest.mark.process` to keep it out of `make check`")


sys.addaudithook(_Guard.audit)


def _needs_process(item: pytest.Function) -> bool:
    callspec = getattr(item, "callspec", None)
    parameters = set(map(str, callspec.params.values())) if callspec else set()
    if parameters & _PROCESS_PARAMETERS:
        return True
    fixtures = [found[-1].func for found in item._fixtureinfo.name2fixturedefs.values()]  # noqa: SLF001
    return any(_starts_process(inspect.unwrap(each)) for each in (item.function, *fixtures))


@cache
def _starts_process(function: Callable[..., Any]) -> bool:
    """Return whether a function's code, or code of the tests that it names, starts a process."""
    todo, seen = [function], set()
    while todo:
        each = todo.pop()
        if each in seen or not isinstance(each, FunctionType):
            continue
        seen.add(each)
        for name in _names(each.__code__):
            value = each.__globals__.get(name)
            if any(value is starter for starter in _STARTERS):
                return True
            if _is_ours(value):
                todo += _functions(value)
    return False


def _names(code: CodeType) -> set[str]:
    inner = (_names(constant) for constant in code.co_consts if isinstance(constant, CodeType))
    return set(code.co_names).union(*inner)


def _functions(value: Any) -> list[Any]:
    if inspect.isclass(value):
        members = (getattr(each, "__func__", each) for each in vars(value).values())
        return [inspect.unwrap(each) for each in members if callable(each)]
    return [inspect.unwrap(value)]


def _is_ours(value: Any) -> bool:
    """Return whether a value is a function or class that stands in a folder of tests or in `scripts/`."""
    if not callable(value):
        return False
    module = sys.modules.get(getattr(value, "__module__", None) or "")
    path = Path(getattr(module, "__file__", None) or "/")
    return path.is_relative_to(ROOT) and bool({"tests", "scripts"} & set(path.relative_to(ROOT).parts))
