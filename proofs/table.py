"""All proofs."""

from proofs import counting, lines, loading, mapped, matrices, memories, numbers, passing

STREAMS = [*passing.CASES, *memories.CASES, *numbers.CASES, *matrices.CASES]
COUNTS = [*counting.CASES, *lines.CASES, *loading.CASES]
MAPPED = mapped.CASES
