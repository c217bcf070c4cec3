"""GPT-2's size, random weights: an embedding step beside its floor, and its memory beside that of an all-parameter step."""

import json

import torch

from tests.benchmarks.processes import fresh
from tests.benchmarks.registry import Row
from tests.benchmarks.timing import Peak, milliseconds, ratio, take_turns

TEXTS, TOKENS = 4, 64
MEMORY = """
import json, sys
from tests.benchmarks.suites.large import step_memory
print(json.dumps(step_memory(sys.argv[1], json.loads(sys.argv[2]))))
"""


def measure(plan):
    config = {} if plan.effort else {"n_layer": 2, "n_embd": 64, "n_head": 2, "vocab_size": 2000}
    seconds = _take_turns(large_session(config), plan.times(7))
    base = f"{milliseconds(seconds['floor']):.0f} ms on the session's own model"
    yield Row("large", "embedding step through Session.step", milliseconds(seconds["step"]), "ms")
    yield Row(
        "large",
        "embedding step against forward + activation-backward",
        ratio(seconds, "step", "floor"),
        "x",
        base,
        at_most=1.5,
    )
    added = {where: fresh(MEMORY, where, json.dumps(config))["added"] for where in ("embedding", "all")}
    base = f"the same step of all parameters: {added['all']:.0f} MB"
    yield Row("large", "memory that an embedding step adds", added["embedding"], "MB")
    yield Row(
        "large",
        "its added memory against that of all parameters",
        added["embedding"] / added["all"],
        "x",
        base,
        at_most=0.85,
    )


def _take_turns(session, rounds):
    batch = session.model.batch([passage.text for passage in session.forget])

    def floor():  # the least that any gradient of the embedding needs: forward, and backward through every activation
        with session.model.following(()):
            inputs = session.model.module.get_input_embeddings()(batch.input_ids).detach().requires_grad_(True)
            loss = session.model.module(inputs_embeds=inputs, labels=batch.labels).loss
            torch.autograd.grad(loss, [inputs])

    def take_back():  # one level of history is enough here: a dense step is 154 MB
        session.undo()
        session.snapshots.drop([session.history.records[-1].id])

    return take_turns({"step": (session.step, take_back), "floor": floor}, rounds)


def large_session(config):
    """A session over GPT-2's shape with random weights; the forget set is `TEXTS` texts of `TOKENS` tokens."""
    from transformers import GPT2Config, GPT2LMHeadModel

    import unlearnviz as uv
    from unlearnviz.engine.fresh import train_tokenizer

    torch.manual_seed(0)
    module = GPT2LMHeadModel(
        GPT2Config(**config, activation_function="gelu_pytorch_tanh", attn_implementation="eager")
    ).eval()
    words = [f"word{k:02d}" for k in range(60)]
    texts = [" ".join(words[(k * 7 + j * (k + 1)) % 60] for j in range(80)) for k in range(32)]
    tokenizer = train_tokenizer(texts, 400)
    model = uv.LanguageModel(module, tokenizer, name="GPT-2's shape")
    model.encoder.context = TOKENS
    session = uv.Session(model, uv.Corpus.from_texts(texts))
    session.pick([passage.id for passage in session.corpus.train[:TEXTS]])
    return session


def step_memory(where, config):
    """Run in a process of its own: megabytes that the first step adds at its highest, over the loaded model after one forward."""
    session = large_session(config)
    session.model.token_losses([passage.text for passage in session.forget])
    with Peak() as memory:
        session.step(where=where)
    return {"added": (memory.highest - memory.before) / 1e6, "kept": (memory.after - memory.before) / 1e6}
