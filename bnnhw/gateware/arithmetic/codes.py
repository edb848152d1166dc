"""Storage codes of number formats as the numbers they mean, and back."""

from amaranth.hdl import Cat, Shape

from bnnhw.gateware.arithmetic.pe import activation_planes


def value_shape(dtype):
    """The shape that holds every value of `dtype`: a `DataType` -> unsigned or signed."""
    return Shape.cast(range(dtype.min, dtype.max + 1))


def decode(dtype, code):
    """The number, of shape `value_shape(dtype)`, that storage `code` means."""
    if dtype.kind == "bipolar":
        return Cat(1, ~code[0]).as_signed()
    if dtype.kind == "ternary":
        sign, mask = code[0], code[1]
        return Cat(mask, mask & ~sign).as_signed()
    return code.as_signed() if dtype.kind == "int" else code.as_unsigned()


def encode(dtype, value):
    """The storage code of `value`, whose lowest bits as wide as `value_shape(dtype)` are looked at."""
    if dtype.kind == "bipolar":
        return ~value[1]
    if dtype.kind == "ternary":
        return Cat(value[0] & ~value[1], value[0])
    return value[: dtype.bits]


def rank(dtype, code):
    """An unsigned number of `dtype.bits` bits that is larger for a larger value; thermometer code of a ternary one."""
    planes = activation_planes(dtype, code)
    if dtype.kind == "int":
        planes[-1] = ~planes[-1]
    return Cat(planes)


def unrank(dtype, ranked):
    """The storage code of which `ranked` is the rank."""
    if dtype.kind == "ternary":
        return Cat(ranked[1], ~(ranked[0] ^ ranked[1]))
    if dtype.kind == "int":
        return Cat(ranked[:-1], ~ranked[-1])
    return ranked


def lanes_of(word, width):
    """The lanes of `width` bits that stand side by side in `word`, lane 0 in the low bits."""
    return [word[at : at + width] for at in range(0, len(word), width)]
