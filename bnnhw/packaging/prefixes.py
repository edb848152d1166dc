"""Names of the modules of a package: all begin with one prefix, so that a design can hold two accelerators."""

from __future__ import annotations

import re

from bnnhw.errors import InputError

# Verilog's, SystemVerilog's and VHDL's reserved words, as a module may be used from any of them.
WORDS = """
abs accept_on access after alias all always always_comb always_ff always_latch and architecture array assert assign
assume attribute automatic before begin bind bins binsof bit block body break buf buffer bufif0 bufif1 bus byte case
casex casez cell chandle checker class clocking cmos component config configuration const constant constraint
context continue cover covergroup coverpoint cross deassign default defparam design disable disconnect dist do
downto edge else elsif end endcase endchecker endclass endclocking endconfig endfunction endgenerate endgroup
endinterface endmodule endpackage endprimitive endprogram endproperty endsequence endspecify endtable endtask
entity enum event eventually exit expect export extends extern file final first_match for force foreach forever fork
forkjoin function generate generic genvar global group guarded highz0 highz1 if iff ifnone ignore_bins
illegal_bins implements implies import impure in incdir include inertial initial inout input inside instance int
integer interconnect interface intersect is join join_any join_none label large let liblist library linkage literal
local localparam logic longint loop macromodule map matches medium mod modport module nand negedge nettype new next
nexttime nmos nor noshowcancelled not notif0 notif1 null of on open or others out output package packed parameter
pmos port posedge postponed primitive priority procedure process program property protected pull0 pull1 pulldown
pullup pulsestyle_ondetect pulsestyle_onevent pure rand randc randcase randsequence range rcmos real realtime record
ref reg register reject reject_on release rem repeat report restrict return rnmos rol ror rpmos rtran rtranif0
rtranif1 s_always s_eventually s_nexttime s_until s_until_with scalared select sequence severity shared shortint
shortreal showcancelled signal signed sla sll small soft solve specify specparam sra srl static string strong
strong0 strong1 struct subtype super supply0 supply1 sync_accept_on sync_reject_on table tagged task then this
throughout time timeprecision timeunit to tran tranif0 tranif1 transport tri tri0 tri1 triand trior trireg type
typedef unaffected union unique unique0 units unsigned until until_with untyped use uwire var variable vectored
virtual void wait wait_order wand weak weak0 weak1 when while wildcard wire with within wor xnor xor
"""
RESERVED = frozenset(WORDS.split())
MAX_LENGTH = 60
_PREFIX = re.compile(r"[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*")


def check_prefix(prefix: str) -> str:
    """`prefix`, if it can be the name of a module and begin the names of others.

    Raises
    ------
    InputError
        If it cannot.
    """
    if not _PREFIX.fullmatch(prefix) or len(prefix) > MAX_LENGTH:
        raise InputError(
            f"--prefix {prefix}: must be letters, digits and single underscores between them, begin with a letter and "
            f"have at most {MAX_LENGTH} characters"
        )
    if prefix.lower() in RESERVED:
        raise InputError(f"--prefix {prefix}: a reserved word of Verilog, SystemVerilog or VHDL: use another name")
    return prefix


def prefix_for(model: str) -> str:
    """The prefix of a model that the user gives none for: its name, as far as Verilog takes it."""
    words = [word for word in re.split(r"[^A-Za-z0-9]+", model) if word]
    name = "_".join(words)[:MAX_LENGTH].rstrip("_")
    return name if _PREFIX.fullmatch(name) and name.lower() not in RESERVED else f"nn_{name}"[:MAX_LENGTH].rstrip("_")
