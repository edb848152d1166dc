"""All proofs."""

from proofs import counting, lines, mapped, matrices, memories, numbers, passing

STREAMS = [*passing.CASES, *memories.CASES, *numbers.CASES, *matrices.CASES]
COUNTS = [*counting.CASES, *lines.CASES]
MAPPED = mapped.CASES
