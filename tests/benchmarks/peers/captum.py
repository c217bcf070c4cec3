"""captum's TracInCP: one sum over the layers it is given, so that every layer takes a run of its own."""

import torch

from tests.benchmarks.peers.case import Attempt, Scoring, means, sums


class Logits(torch.nn.Module):
    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, ids, mask):
        return self.module(input_ids=ids, attention_mask=None if bool(mask.all()) else mask, use_cache=False).logits


def _scores(case, module, layers, batch_size, *, batched=False):
    """One run over all texts: a score of each."""
    from captum.influence import TracInCP

    def own(logits, labels):
        return means(logits, labels).sum() if batched else means(logits, labels)

    def together(logits, labels):
        found = sums(logits, labels) / case.predicted
        return found.sum() if batched else found

    tracin = TracInCP(
        Logits(module),
        case.loader(case.texts, batch_size),
        checkpoints=["the present weights"],
        checkpoints_load_func=lambda *_: 1.0,
        loss_fn=own,
        test_loss_fn=together,
        layers=None if layers is None else [f"module.{layer}" for layer in layers],
        sample_wise_grads_per_batch=batched,
    )
    return tracin.influence(case.loader(case.forget, min(batch_size, len(case.forget))), aggregate=True)[0].detach().numpy()


def _modules(names):
    """The modules that hold these parameters."""
    return list(dict.fromkeys(name.rpartition(".")[0] for name in names))


def _every_group(case):
    module, groups = case.module(), case.model.layout.groups
    return Scoring(
        lambda: {group: _scores(case, module, _modules(names), 1) for group, names in groups.items()},
        scored=case.model.layout.names,
        missing="norms, tokens and the two uses of the embedding",
    )


def _one_sum(case):
    module = case.module()
    return Scoring(
        lambda: {"all": _scores(case, module, None, 1)},
        scored=case.model.layout.names,
        missing="layers, norms and tokens",
        columns={"all": case.model.layout.names},
    )


def _batched(case):
    module, names = case.module(), case.model.layout.groups["block 0"]
    return Scoring(
        lambda: {"block 0": _scores(case, module, _modules(names), case.batch_size, batched=True)},
        scored=names,
        columns={"block 0": names},
    )


def _batched_linear(case):
    module, names = case.with_linear_layers(), case.model.layout.groups["block 0"]
    linear = tuple(name for name in names if isinstance(module.get_submodule(name.rpartition(".")[0]), torch.nn.Linear))
    return Scoring(
        lambda: {"block 0": _scores(case, module, _modules(names), case.batch_size, batched=True)},
        scored=linear,
        missing="all but linear layers: the LayerNorms, asked for with them, are dropped without a word",
        columns={"block 0": linear},
    )


ATTEMPTS = (
    Attempt("captum", "TracInCP, each group of parameters in a run of its own", _every_group, rounds=2, at_least=50),
    Attempt("captum", "TracInCP, all parameters in one sum", _one_sum),
    Attempt("captum", "TracInCP in batches, one block", _batched),
    Attempt("captum", "TracInCP in batches, one block of a copy with linear layers", _batched_linear),
)
