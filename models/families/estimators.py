"""Gradients of what has none: forward the quantised value, backward another function of the same input."""

from __future__ import annotations

import torch


def through(smooth: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """`value`, with the gradient of `smooth` (straight through, arXiv:1308.3432)."""
    return smooth + (value - smooth).detach() if torch.is_grad_enabled() else value


def bipolar(x: torch.Tensor) -> torch.Tensor:
    """-1 and +1, +1 of zero; no gradient."""
    return (x >= 0).to(x.dtype) * 2 - 1


def sign(x: torch.Tensor) -> torch.Tensor:
    """-1 and +1; the gradient passes between -1 and +1 (BNN, arXiv:1602.02830)."""
    return through(x.clamp(-1, 1), bipolar(x))


def polynomial_sign(x: torch.Tensor) -> torch.Tensor:
    """-1 and +1, and 0 of zero; the gradient is that of two parabolas, a triangle (Bi-Real Net, arXiv:1808.00278)."""
    inside = x.clamp(-1, 1)
    return through(2 * inside - inside * inside.abs(), x.sign())


def fixed(x: torch.Tensor, scale: float, low: int, high: int, *, floor: bool = False) -> torch.Tensor:
    """Whole multiples of `scale` from `low` to `high`; the gradient passes between the two ends."""
    inside = x.clamp(low * scale, high * scale)
    codes = inside / scale
    return through(inside, (codes.floor() if floor else codes.round()) * scale)
