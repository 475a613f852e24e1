"""Darknet's tiny ImageNet network, as a user would bring it: PATH/darknet.py:factory."""

import os
from collections import OrderedDict
from pathlib import Path

from torch import nn

FILTERS = (16, 32, 16, 128, 16, 128, 32, 256, 32, 256, 64, 512, 64, 512, 128)
WIDE = {1, 2, 4, 6, 8, 10, 12, 14}  # 3 x 3; the others are 1 x 1
POOLED = {1, 2, 6, 10}

DATA = Path(os.environ.get("BIDS_DNN_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
LABELS = DATA / "darknet_tiny" / "darknet_labels.txt"

card = {
    "name": "darknet",
    "layers": ("conv2d_1", "conv2d_8", "conv2d_12", "relu_15"),
    "size_px": 224,
    "aliases": {"logits": "flat"},
    "license": "MIT",
}
if LABELS.is_file():
    card |= {"head": "flat", "labels": LABELS.read_text(encoding="utf-8").splitlines()}


def factory():
    parts = OrderedDict()
    channels = 3
    for i, n_filters in enumerate(FILTERS, start=1):
        size = 3 if i in WIDE else 1
        parts[f"conv2d_{i}"] = nn.Conv2d(channels, n_filters, size, padding="same", bias=False)
        parts[f"batch_normalization_{i}"] = nn.BatchNorm2d(n_filters, eps=1e-3)
        parts[f"relu_{i}"] = nn.LeakyReLU(0.1, inplace=True)
        if i in POOLED:
            parts[f"pool_{i}"] = nn.MaxPool2d(2, 2)
        channels = n_filters
    parts["conv2d_16"] = nn.Conv2d(channels, 1000, 1)
    parts["average"] = nn.AdaptiveAvgPool2d(1)
    parts["flat"] = nn.Flatten()
    return nn.Sequential(parts)
