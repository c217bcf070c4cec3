"""dattri's TracInAttributor: gradients of single texts by torch.func, all parameters in one flat vector."""

import torch
from torch.nn import functional

from tests.benchmarks.peers.case import Attempt, Scoring


def _attribution(case, logits, data, names):
    """A score of each text; `logits` maps (module, parameters, data of one text) to (tokens, vocabulary)."""
    from dattri.algorithm.tracin import TracInAttributor
    from dattri.task import AttributionTask

    module = case.module()

    def summed(parameters, inputs):
        found = logits(module, parameters, inputs)
        return functional.cross_entropy(found[:-1], inputs[-1][1:], ignore_index=-100, reduction="sum")

    def own(parameters, inputs):
        return summed(parameters, inputs) / (inputs[-1][1:] != -100).sum()

    def together(parameters, inputs):
        return summed(parameters, inputs) / case.predicted

    task = AttributionTask(loss_func=own, target_func=together, model=module, checkpoints=[module.state_dict()])
    tracin = TracInAttributor(task, weight_list=torch.ones(1), normalized_grad=False, layer_name=names, device="cpu")
    tracin.projector_kwargs = None  # None as an argument would leave the projection to 512 numbers on
    loaders = [torch.utils.data.DataLoader(data(texts), batch_size=len(texts), shuffle=False) for texts in (case.texts, case.forget)]
    return lambda: {"scored": tracin.attribute(*loaders).sum(dim=1).detach().numpy()}


def _rows(case, texts):
    batch = case.model.batch(texts)
    return list(zip(batch.input_ids, batch.labels, strict=True))


def _rows_with_mask(case, texts):
    batch = case.model.batch(texts)
    return list(zip(batch.input_ids, batch.attention_mask, batch.labels, strict=True))


def _logits(module, parameters, inputs):
    """Without a mask: padding stands on the right, where a causal model never looks."""
    said = {"input_ids": inputs[0][None], "use_cache": False}
    return torch.func.functional_call(module, parameters, (), said).logits[0]


def _logits_with_mask(module, parameters, inputs):
    said = {"input_ids": inputs[0][None], "attention_mask": inputs[1][None], "use_cache": False}
    return torch.func.functional_call(module, parameters, (), said).logits[0]


def _with_mask(case):
    name = case.model.layout.input_embedding
    score = _attribution(case.as_transformers_loads_it(), _logits_with_mask, lambda texts: _rows_with_mask(case, texts), [name])
    return Scoring(score, scored=(name,), columns={"scored": (name,)})


def _one_layer(case):
    name = case.model.layout.input_embedding
    score = _attribution(case, _logits, lambda texts: _rows(case, texts), [name])
    return Scoring(score, scored=(name,), columns={"scored": (name,)}, missing="every other layer, each a run of its own; norms and tokens")


def _everything(case):
    names = case.model.layout.names
    score = _attribution(case, _logits, lambda texts: _rows(case, texts), None)
    return Scoring(score, scored=names, columns={"scored": names}, missing="layers, norms and tokens")


ATTEMPTS = (
    Attempt("dattri", "TracIn, on the model as transformers loads it, with the mask of padded texts", _with_mask, texts=4, rounds=1),
    Attempt("dattri", "TracIn, the embedding alone, without a mask", _one_layer, texts=4, rounds=1),
    Attempt("dattri", "TracIn, all parameters in one sum, without a mask", _everything, texts=4, rounds=1),
)
