"""Gateware -> RTLIL, the language of Yosys."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from amaranth.back import rtlil as amaranth_rtlil

from bnnhw.gateware.repeated import one_module_each


def rtlil(top: Any, name: str, *, platform: Any = None, ports: Any = None) -> str:
    """The module `name` with all below it; units that are alike are instances of one module.

    Parameters
    ----------
    top
        A component, or an elaboratable with its `ports`.
    platform
        What it is elaborated for.
    """
    with modules_apart(name, platform) as modules:
        text: str = amaranth_rtlil.convert(top, name=name, platform=platform, ports=ports, emit_src=False)
    return "\n".join([text, *modules])


@contextmanager
def modules_apart(name: str, platform: Any) -> Iterator[list[str]]:
    """Makes instances of units that are alike, while the module `name` is converted for `platform`.

    Gives a list, which holds the RTLIL of those units' modules when this is left.
    """
    with _collection_paused(), one_module_each(f"{name}.modules") as modules:
        yield (texts := [])
        for module, unit in modules:
            # Source locations would say where bnnhw is installed.
            text = amaranth_rtlil.convert(unit, name=module, platform=platform, emit_src=False)
            texts.append(text.replace("attribute \\top 1\n", ""))


@contextmanager
def _collection_paused() -> Iterator[None]:
    """Pauses Python's garbage collection: among the small objects of a netlist, nearly all of which stay, it takes a
    fifth of the time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()
