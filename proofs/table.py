"""All proofs."""

from proofs import counting, lines, loading, mapped, matrices, memories, numbers, overlay, passing

STREAMS = [*passing.CASES, *memories.CASES, *numbers.CASES, *matrices.CASES]
COUNTS = [*counting.CASES, *lines.CASES, *loading.CASES, *overlay.CASES]
MAPPED = mapped.CASES
