"""AlexNet for pictures without colour: the same answers, with two fifths of the work of the first convolution."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812 - its name everywhere
from torch import Tensor, nn

from mskmodel.network.alexnet import AlexNet

__all__ = ["BLOCK", "PADDING", "SingleChannel"]

#: Stride and padding of AlexNet's first convolution, pixels.
BLOCK, PADDING = 4, 2
#: Blocks along a side of its kernel, which is 11 pixels wide.
_KERNEL = 3


class SingleChannel(nn.Module):
    """The network, from the first of three channels that are one grey picture, each normalised by its own numbers.

    (n, 1, size, size) float32 to (n, outputs) float32 logits. The kernels are added up over the channels. Where the
    channels differ by a constant, its effect is a constant too, but along the border, which is padded with 0 in each.
    Blocks of 4 x 4 pixels become 16 channels, so that the stride becomes 1 and the kernel 3 x 3: one channel with a
    stride of 4 would leave most of a processor's vector units idle.

    Layers but the first are the model's own, not copies.
    """

    #: What the constants between the channels add along the border, (1, 64, rows, columns); elsewhere 0.
    border: Tensor

    @torch.no_grad()
    def __init__(self, model: AlexNet, size: int, mean: Sequence[float], std: Sequence[float]) -> None:
        """From a model in evaluation mode, on the CPU.

        Args:
            size: side of the pictures, pixels.
            mean, std: the normalisation of the three channels.
        """
        super().__init__()
        of_three, *others = model.features
        assert isinstance(of_three, nn.Conv2d)
        scale = (std[0] / torch.tensor(std))[:, None, None]
        offset = ((mean[0] - torch.tensor(mean)) / torch.tensor(std))[:, None, None]
        kernel = F.pad((of_three.weight * scale).sum(1, keepdim=True), (0, 1, 0, 1))
        inside = (of_three.weight * offset).sum((1, 2, 3))
        with_padding = F.conv2d(offset.expand(1, -1, size, size), of_three.weight, None, BLOCK, PADDING)
        self.side = with_padding.shape[-1] + _KERNEL - 1  # in blocks
        self.behind = self.side * BLOCK - size - PADDING  # pixels of padding
        self.first = nn.Conv2d(BLOCK**2, of_three.out_channels, _KERNEL)
        self.first.weight = nn.Parameter(F.pixel_unshuffle(kernel, BLOCK))
        assert of_three.bias is not None
        self.first.bias = nn.Parameter(of_three.bias + inside)
        self.register_buffer("border", with_padding - inside[:, None, None])
        self.rest = nn.Sequential(*others, model.avgpool, nn.Flatten(), *model.head)
        self.to(memory_format=torch.channels_last).eval()

    def forward(self, images: Tensor) -> Tensor:
        """Logits, computed in the precision of the weights."""
        blocks = self._in_blocks(images.to(self.border.dtype))
        logits: Tensor = self.rest(self.first(blocks).add_(self.border))
        return logits.float()

    def _in_blocks(self, images: Tensor) -> Tensor:
        """(n, 16, side, side), the channels of a block beside each other in memory."""
        padded = F.pad(images, (PADDING, self.behind, PADDING, self.behind))
        split = padded.view(-1, self.side, BLOCK, self.side, BLOCK).transpose(2, 3)
        return split.reshape(-1, self.side, self.side, BLOCK**2).permute(0, 3, 1, 2)
