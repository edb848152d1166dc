"""All proofs."""

from proofs import counting, mapped, matrices, memories, numbers, passing

STREAMS = [*passing.CASES, *memories.CASES, *numbers.CASES, *matrices.CASES]
COUNTS = counting.CASES
MAPPED = mapped.CASES
