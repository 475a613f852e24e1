"""Small networks with tokens, towers, several runs of a module, and odd outputs."""

import torch
from torch import nn

from bids_dnn.containers.network import Card, Network


class Block(nn.Module):
    """A transformer's block without attention, which is enough to tell tokens apart."""

    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, 2 * width)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(2 * width, width)

    def forward(self, x):
        x = x + x.mean(dim=-2, keepdim=True)
        return x + self.fc2(self.act(self.fc1(self.norm(x))))


class Patches(nn.Module):
    """Pictures of 12 px -> 9 patches of 8, after a class token and registers."""

    def __init__(self, *, has_class=True, n_registers=2, is_batch_first=True):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 4, 4)
        self.embed = nn.Identity()
        self.is_batch_first = is_batch_first
        if has_class:
            self.cls_token = nn.Parameter(torch.randn(1, 1, 8))
        self.registers = nn.Parameter(torch.randn(1, n_registers, 8))
        self.blocks = nn.Sequential(Block(8), Block(8))
        self.head = nn.Linear(8, 5)

    def forward(self, pictures):
        x = self.embed(self.conv(pictures).flatten(2).mT)
        before = [self.cls_token] if hasattr(self, "cls_token") else []
        before = [one.expand(len(x), -1, -1) for one in [*before, self.registers]]
        x = torch.cat([*before, x], dim=1)
        if not self.is_batch_first:
            return self.head(self.blocks_of_length_first(x))
        return self.head(self.blocks(x)[:, 0])

    def blocks_of_length_first(self, x):
        lengths_first = x.transpose(0, 1)
        for block in self.blocks:
            lengths_first = lengths_first + block.fc2(block.fc1(lengths_first))
        return lengths_first[0]


class Odd(nn.Module):
    """What cannot be captured, and what can but is no plain tensor."""

    def __init__(self):
        super().__init__()
        self.idle = nn.Linear(1, 1)
        self.pair = nn.LSTM(3, 2, batch_first=True)
        self.swap = nn.Flatten(0, 1)
        self.shared = nn.ReLU(inplace=True)
        self.conv = nn.Conv2d(3, 4, 1)
        self.named = Named()

    def forward(self, x):
        self.swap(x)
        self.pair(x.flatten(2).mT)
        self.named(x)
        first = self.shared(self.conv(x))
        return self.shared(first.permute(0, 2, 3, 1) - 0.5)


class Named(nn.Module):
    def forward(self, x):
        return SimpleOutput(pooled=x.mean((2, 3)), hidden=x.flatten(1), nothing=None)


class SimpleOutput(dict):
    """As the outputs of transformers are: a mapping."""


class Towers(nn.Module):
    """Pictures and texts into one space; some modules serve both."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 4, 4)
        self.words = nn.Embedding(30, 4)
        self.text_norm = nn.LayerNorm(4)
        self.shared = nn.Linear(4, 3)

    def encode_image(self, pictures):
        return self.shared(self.conv(pictures).mean((2, 3)))

    def encode_text(self, input_ids):
        return self.shared(self.text_norm(self.words(input_ids)).sum(dim=1))


def tokenize(texts, length=6):
    """Return letters as numbers, cut and padded to one length."""
    rows = [[ord(c) % 29 + 1 for c in text[:length]] for text in texts]
    return {"input_ids": torch.tensor([row + [0] * (length - len(row)) for row in rows])}


def ragged(texts):
    """Pad to the longest only, as no tokenizer here should."""
    return tokenize(texts, max(map(len, texts)))


def network_of(make, *, size_px=12, seed=0, aliases=None, **options):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = make()
    module.eval().requires_grad_(requires_grad=False)
    card = Card(
        type(module).__name__.lower(),
        (),
        size_px=size_px,
        aliases=aliases or {},
        methods=options.pop("methods", {"image": "forward"}),
    )
    return Network(module, card, "random", "0" * 64, **options)


def towers(**options):
    methods = {"image": "encode_image", "text": "encode_text"}
    return network_of(Towers, **{"methods": methods, "tokenize": tokenize, **options})
