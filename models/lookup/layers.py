"""Lookup-table nodes with learnable tables and learnable wiring, in torch.

What is forward is what the hardware does: bits, chosen by index, looked up in tables of bits. What is backward differs:

* a table's latent entry gets the gradient of the bit that was read from it, straight through the sign (DWN, Bacellar et
  al. 2024, arXiv:2410.11112); latent values are kept within -1 and +1 (BinaryConnect, Courbariaux et al. 2015,
  arXiv:1511.00363);
* an input's gradient is the finite difference of the table in that input, the multilinear extension's derivative at a
  corner (difflogic, Petersen et al. 2022, arXiv:2210.08277). DWN extends the difference over all addresses, weighted
  by their distance: on tables of 16 bits this did worse;
* each input has a score for every bit that it could read, and reads the one of the highest score. A score collects
  what reading its bit would have changed in the loss to first order: the product of that input's gradient and the bit,
  summed up with momentum. DWN passes it through a softmax, LILogicNet (Fojcik et al. 2025, arXiv:2511.12340) keeps the
  best few.

Tensors are (bits or nodes, samples): a gather then copies rows.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


class _Lookup(torch.autograd.Function):
    """Bits (M, N) float32 of bits (B, N), by index (M, k) and latent tables (M, 2**k); scores (M * k, B)."""

    @staticmethod
    def forward(
        ctx: Any, bits: torch.Tensor, tables: torch.Tensor, scores: torch.Tensor, index: torch.Tensor
    ) -> torch.Tensor:
        nodes, k = index.shape
        compact = bits.to(torch.uint8)
        chosen = compact[index.reshape(-1)].view(nodes, k, -1)
        address = chosen[:, 0].clone()
        for j in range(1, k):
            address |= chosen[:, j] << j
        place = address.to(torch.int32) + (torch.arange(nodes, dtype=torch.int32) << k)[:, None]
        ctx.save_for_backward(bits, tables, index, place)
        return (tables >= 0).float().view(-1)[place.view(-1)].view(place.shape)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        bits, tables, index, place = ctx.saved_tensors
        (gradient,) = gradients
        nodes, k = index.shape
        flat = place.view(-1)
        of_tables = torch.zeros(tables.numel()).index_add_(0, flat, gradient.reshape(-1)).view(tables.shape)
        of_bits = of_scores = None
        if ctx.needs_input_grad[0] or ctx.needs_input_grad[2]:
            slopes = finite_differences((tables >= 0).float())
            of_inputs = torch.stack([s.reshape(-1)[flat].view(gradient.shape) * gradient for s in slopes], dim=1)
            of_inputs = of_inputs.view(nodes * k, -1)
            if ctx.needs_input_grad[0]:
                of_bits = torch.zeros(bits.shape).index_add_(0, index.reshape(-1), of_inputs)
            if ctx.needs_input_grad[2]:
                # Half precision: it is a sum over samples, and only its largest entries will matter.
                of_scores = (of_inputs.bfloat16() @ bits.bfloat16().t()).float()
        return of_bits, of_tables, of_scores, None


def finite_differences(tables: torch.Tensor) -> list[torch.Tensor]:
    """For each input j, (M, 2**k): the output with bit j of the address set, minus that with it cleared."""
    addresses = torch.arange(tables.shape[1])
    k = tables.shape[1].bit_length() - 1
    return [tables[:, addresses | 1 << j] - tables[:, addresses & ~(1 << j)] for j in range(k)]


class LookupTables(nn.Module):
    """`nodes` tables of `k` inputs, each of which may read any of `inputs` bits."""

    def __init__(self, inputs: int, nodes: int, k: int) -> None:
        super().__init__()
        self.shape = (nodes, k)
        self.tables = nn.Parameter(torch.rand(nodes, 2**k) * 2 - 1)
        self.scores = nn.Parameter(torch.randn(nodes * k, inputs) * 0.1)
        self.index = torch.empty(self.shape, dtype=torch.int64)
        self.choose()

    def choose(self) -> None:
        """Lets every input read the bit of its highest score."""
        self.index = self.scores.detach().argmax(dim=1).view(self.shape)

    def forward(self, bits: torch.Tensor) -> torch.Tensor:
        return _Lookup.apply(bits, self.tables, self.scores, self.index)


class Network(nn.Module):
    """Layers of `sizes` nodes, and scores (N, classes): ones are counted for each class, over a temperature."""

    def __init__(self, inputs: int, sizes: tuple[int, ...], k: int, classes: int, temperature: float) -> None:
        super().__init__()
        before = (inputs, *sizes)
        self.layers = nn.ModuleList(LookupTables(a, b, k) for a, b in zip(before, sizes, strict=False))
        self.classes, self.temperature = classes, temperature

    def forward(self, bits: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            bits = layer(bits)
        counts = bits.view(self.classes, -1, bits.shape[1]).sum(dim=1)
        return counts.t() / self.temperature
