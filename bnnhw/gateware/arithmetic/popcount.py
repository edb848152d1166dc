"""Population count: in how many lanes a bit is one."""

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from bnnhw.arithmetic.popcount_tree import counted_lanes, popcount_latency, popcount_tree
from bnnhw.gateware.arithmetic.adder_chain import BIT, BOTH, DIFFER, MASKED, MATCH, ZERO, Operand, add, bit

# Positions of the longest carry chain. What lies end to end in one chain counts as one path, though no carry goes all
# the way: a longer chain is smaller and slower. On iCE40 each adder has a chain of its own: where one began behind
# another, a bit would go to both inputs of a carry, and nextpnr's router may take turns with the two for ever.
LONGEST_CHAIN = {"ice40": 1, "ecp5": 16}
# What a chain of ECP5 takes as it is: as the first operand of a position, or alone; and as the second one.
FIRST = {MATCH, BOTH}
SECOND = {MATCH: DIFFER, BOTH: BOTH, MASKED: MASKED}


class Popcount(wiring.Component):
    """Counts the lanes that have a bit of one.

    The tree is made of adders that take three things: the counts of two halves, and one more lane on the carry-in, so
    that n lanes split into k1 + k2 + 1 (`smallest`). The adders of one level lie end to end in carry chains
    (`AdderChain`).

    A lane is a bit, or a small function of several. How the lowest adders take their lanes depends on the family. ECP5
    has logic before its adders: there they are in a chain as well. iCE40 has none, and they are LUTs: three for three
    lanes that are matches, two more for others.

    Parameters
    ----------
    width : int
        Number of lanes, at least 1.
    kind : BitFunction
        A lane's bit as a function of its inputs; those of a `MATCH` come as `MatchCoding` has them.
    levels : int or None
        Levels of adders between two registers of the tree; ``None`` leaves it combinational.
    spare : bool
        Whether the last lane may stay uncounted, for a carry-in of what follows. It does where that makes the tree
        lower (`bnnhw.arithmetic.popcount_tree.counted_lanes`).
    family : str
        ``"ice40"`` or ``"ecp5"``.

    Attributes
    ----------
    latency : int
        Registers between `i` and the outputs.

    Members
    -------
    i : In(width * kind.arity)
        Inputs of lane 0, of lane 1, ...
    en : In(1)
        The registers hold while it is low. Not used when `latency` is 0.
    o : Out(bits_for(width))
    spare : Out(2)
        The uncounted lane's bit is one where the two are equal.

    Timing
    ------
    Latency `latency` enabled cycles, one word per enabled cycle.

    Raises
    ------
    TypeError
        If `width` is not a positive integer or `levels` is neither ``None`` nor a positive integer.
    """

    def __init__(self, width, kind=BIT, *, levels=None, spare=False, family="ice40"):
        if not isinstance(width, int) or width < 1:
            raise TypeError(f"width must be a positive integer, not {width!r}")
        if levels is not None and (not isinstance(levels, int) or levels < 1):
            raise TypeError(f"levels must be None or a positive integer, not {levels!r}")
        self._width = width
        self._kind = kind
        self._levels = levels
        self._counted = counted_lanes(width) if spare else width
        self._family = family
        self._vendor = family == "ecp5"
        self._longest = LONGEST_CHAIN[family]
        super().__init__(
            {
                "i": In(width * kind.arity),
                "en": In(1, init=1),
                "o": Out(bits_for(width)),
                "spare": Out(2, init=1),
            }
        )

    @property
    def latency(self):
        return popcount_latency(self._counted, self._levels)

    def elaborate(self, platform):
        m = Module()
        root = popcount_tree(self._counted, self._family)
        trees = list(root.all())
        # The bits of each subtree's count, low first, as operands of what adds them.
        counts = {tree: [self._lane(m, tree.start)] for tree in trees if tree.count == 1}
        for height in range(1, root.height + 1):
            self._level(m, height, [tree for tree in trees if tree.height == height], counts)
        total = [self._held(m, bits, self.latency - self._registers(root.height)) for bits in counts[root]]
        m.d.comb += self.o.eq(Cat(operand.value for operand in total))
        if self._counted < self._width:
            lane = self._held(m, self._lane(m, self._counted), self.latency)
            m.d.comb += self.spare.eq(Cat(lane.bits) if lane.kind is MATCH else Cat(lane.value, Const(1)))
        return m

    def _registers(self, height):
        """Registers that counts of this height have gone through."""
        return 0 if self._levels is None else height // self._levels

    def _inputs(self, lane):
        return tuple(self.i.word_select(lane, self._kind.arity))

    def _lane(self, m, lane):
        """A lane as an operand."""
        if self._vendor and self._kind in FIRST:
            return Operand(self._kind, self._inputs(lane))
        value = Signal(name=f"lane{lane}")
        m.d.comb += value.eq(self._kind.rule(*self._inputs(lane)))
        return bit(value)

    def _held(self, m, operand, cycles):
        """`operand` after `cycles` enabled registers."""
        bits = operand.bits
        for _ in range(cycles):
            registers = tuple(Signal(name="held", reset_less=True) for _ in bits)
            with m.If(self.en):
                m.d.sync += [register.eq(value) for register, value in zip(registers, bits, strict=True)]
            bits = registers
        return Operand(operand.kind, bits)

    def _level(self, m, height, trees, counts):
        """Counts the subtrees of one height."""
        registers = self._registers(height - 1)
        adders, added = [], []
        for tree in trees:
            if tree.halves:
                low, high = (
                    [self._held(m, operand, registers - self._registers(half.height)) for operand in counts[half]]
                    for half in tree.halves
                )
                low += [ZERO] * (len(high) - len(low))
                adders.append((self._held(m, self._lane(m, tree.start), registers), list(zip(low, high, strict=True))))
                added.append(tree)
            elif self._vendor:
                adders.append(self._lowest(m, tree))
                added.append(tree)
            else:
                counts[tree] = self._lowest_in_luts(m, tree)
        for tree, total in zip(added, add(m, adders, vendor=self._vendor, limit=self._longest), strict=True):
            counts[tree] = [bit(value) for value in total[: bits_for(tree.count)]]
        for tree in trees:
            counts[tree] = [self._held(m, operand, self._registers(height) - registers) for operand in counts[tree]]

    def _lowest(self, m, tree):
        """An adder of two or three lanes: carry-in and positions."""
        first, second = self._lane(m, tree.start), self._lane(m, tree.start + 1)
        if self._kind in SECOND:
            second = Operand(SECOND[self._kind], self._inputs(tree.start + 1))
        carry = self._lane(m, tree.start + 2) if tree.count == 3 else None
        return carry, [(first, second)]

    def _lowest_in_luts(self, m, tree):
        """The count of two or three lanes."""
        lanes = [self._lane(m, tree.start + k).value for k in range(tree.count)]
        count = Signal(2, name="count")
        if tree.count == 2:
            m.d.comb += count.eq(Cat(lanes[0] ^ lanes[1], lanes[0] & lanes[1]))
        elif self._kind is MATCH:
            # The second lane is the parity of all three, and where it differs from the third, the others differ.
            first, parity, third = lanes
            differ = parity ^ third
            m.d.comb += count.eq(Cat(parity, (differ & third) | (~differ & first)))
        else:
            a, b, c = lanes
            m.d.comb += count.eq(Cat(a ^ b ^ c, (a & b) | (a & c) | (b & c)))
        return [bit(count[0]), bit(count[1])]
