"""Units of which a design has many that are alike: their netlist is made once."""

from contextlib import contextmanager
from contextvars import ContextVar

from amaranth.hdl import ClockSignal, Instance, ResetSignal
from amaranth.lib import wiring


class Repeated(wiring.Component):
    """A unit whose copies are instances of one module, where they are asked to be.

    Within `one_module_each`, `elaborate` gives an instance of the module of all units that are made in the same way;
    elsewhere, as in Amaranth's simulator, which knows no instances, it gives the unit's logic. Either way the flattened
    netlist has the same logic. A subclass has its own in ``logic(platform)``, with a register in the domain ``sync``
    that is reset.

    Parameters
    ----------
    members : dict
        As of a `Component`'s signature.
    made_of : tuple
        All that the logic depends on.
    """

    def __init__(self, members, made_of):
        super().__init__(members)
        self._key = type(self), made_of

    def elaborate(self, platform):
        modules = _modules.get()
        if modules is None or self is modules.describing:
            return self.logic(platform)
        name = modules.name(self._key, self)
        ports = {"i_clk": ClockSignal(), "i_rst": ResetSignal()}
        for (member,), what, value in self.signature.flatten(self):
            ports[f"{'i' if what.flow == wiring.In else 'o'}_{member}"] = value
        return Instance(name, **ports)


class Modules:
    """The modules that instances were made of, each to be described apart from the design.

    Iterating gives name and unit of each; in the body of the loop the unit elaborates to its logic.
    """

    def __init__(self, prefix):
        self._prefix = prefix
        self._found = {}
        self.describing = None

    def name(self, key, unit):
        """The module of units that are made like `key`: `unit` is one."""
        name = f"{self._prefix}.{type(unit).__name__.lower()}_{len(self._found)}"
        return self._found.setdefault(key, (name, unit))[0]

    def __iter__(self):
        done = 0
        # A unit that is described may ask for more.
        while done < len(self._found):
            name, self.describing = list(self._found.values())[done]
            yield name, self.describing
            done += 1
        self.describing = None


@contextmanager
def one_module_each(prefix):
    """Makes copies instances, of modules whose names begin with `prefix`; gives the `Modules`."""
    token = _modules.set(modules := Modules(prefix))
    try:
        yield modules
    finally:
        _modules.reset(token)


_modules = ContextVar("modules", default=None)
