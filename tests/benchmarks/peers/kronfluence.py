"""kronfluence with the identity for a curvature: inner products of gradients, module by module, of linear layers alone."""

import itertools
import logging
import tempfile

from tests.benchmarks.peers.case import Attempt, Scoring, Texts, means, sums


def _analyzer(case, module, *, tokens):
    """Makes everything ready; returns the names of the modules it follows and a function for the scores."""
    from kronfluence.analyzer import Analyzer, prepare_model
    from kronfluence.arguments import FactorArguments, ScoreArguments
    from kronfluence.module.tracked_module import TrackedModule
    from kronfluence.task import Task
    from kronfluence.utils.dataset import DataLoaderKwargs

    def logits(batch, model):
        ids, mask, _ = batch
        return model(input_ids=ids, attention_mask=None if bool(mask.all()) else mask, use_cache=False).logits

    class Language(Task):
        def compute_train_loss(self, batch, model, sample=False):
            return means(logits(batch, model), batch[2]).sum()

        def compute_measurement(self, batch, model):
            return (sums(logits(batch, model), batch[2]) / case.predicted).sum()

    task = Language()
    module = prepare_model(module, task)
    names = [each.name for each in module.modules() if isinstance(each, TrackedModule)]
    folder = tempfile.mkdtemp(dir=case.folder)
    analyzer = Analyzer("peer", module, task, cpu=True, log_level=logging.ERROR, disable_tqdm=True, output_dir=folder)
    analyzer.set_dataloader_kwargs(DataLoaderKwargs(collate_fn=case.collate))
    analyzer.fit_all_factors(
        "identity", Texts(case.texts), case.batch_size, factor_args=FactorArguments(strategy="identity"), overwrite_output_dir=True
    )
    arguments = ScoreArguments(
        aggregate_query_gradients=True, compute_per_module_scores=True, compute_per_token_scores=tokens, damping_factor=None
    )
    turn = itertools.count()

    def score():
        name = f"scores {next(turn)}"  # what is on disk under a name would be taken from there
        analyzer.compute_pairwise_scores(
            name,
            "identity",
            Texts(case.forget),
            Texts(case.texts),
            per_device_query_batch_size=len(case.forget),
            per_device_train_batch_size=case.batch_size,
            score_args=arguments,
        )
        found = analyzer.load_pairwise_scores(name)
        return {each: scores[0].reshape(len(case.texts), -1).sum(dim=1).numpy() for each, scores in found.items()}

    return names, score


def _identity(case, module=None, *, tokens=False):
    module = case.with_linear_layers() if module is None else module
    names, score = _analyzer(case, module, tokens=tokens)
    layout = case.model.layout
    head = next(name for name, each in case.model.module.named_modules() if each is case.model.module.get_output_embeddings())
    columns = {name: tuple(own for own in layout.names if own.rpartition(".")[0] == name) for name in names if name != head}
    tied = layout.tied and head in names
    if tied:
        columns["embedding"] = (layout.input_embedding,)

    def in_our_words():
        found = score()
        return {"embedding.output" if tied and name == head else name: scores for name, scores in found.items()}

    return Scoring(
        in_our_words,
        scored=tuple(name for own in columns.values() for name in own if name != layout.input_embedding),
        missing="token embedding as input and what its two uses share, positions, LayerNorm, norms"
        if len(names) > 1
        else "all but the embedding as output: Conv1D is passed over without a word",
        columns=columns,
    )


def _as_it_is(case):
    return _identity(case, case.module())


def _tokens(case):
    return _identity(case, tokens=True)


def _library_default(case):
    return _identity(case.as_transformers_loads_it())


ATTEMPTS = (
    Attempt("kronfluence", "identity, on the model as it is", _as_it_is, texts=None),
    Attempt("kronfluence", "identity, on a copy with linear layers", _identity, texts=None, at_least=1.3),
    Attempt("kronfluence", "identity and tokens, on a copy with linear layers", _tokens, texts=None),
    Attempt("kronfluence", "identity, likewise, attention and GELU as transformers loads them", _library_default, texts=None),
)
