"""The same work as one step with all read-outs, done with plain calls of transformers and torch: what people would write.

The model is what `from_pretrained` gives for a folder of GPT-2's kind: sdpa attention, `gelu_new`. Token ids and padding are
made once, beforehand and untimed, which spares these variants work that the session does inside its time.
"""

import json
import math
import tempfile
from pathlib import Path

import torch
from torch.nn import functional
from transformers import GPT2LMHeadModel


class Library:
    """Transformers on an exported session, for the same texts and prompts."""

    def __init__(self, session, prompts, *, new_tokens, update_norm, tuned=False):
        with tempfile.TemporaryDirectory() as folder:
            session.export(folder)
            file = Path(folder) / "config.json"
            config = json.loads(file.read_text())
            config["activation_function"] = "gelu_pytorch_tanh" if tuned else "gelu_new"
            file.write_text(json.dumps(config))
            options = {"attn_implementation": "eager"} if tuned else {}
            self.model = GPT2LMHeadModel.from_pretrained(folder, **options).eval()
        self.tokenizer = session.model.tokenizer
        self.parameters = list(self.model.parameters())
        self.embedding = self.model.get_input_embeddings().weight
        self.new_tokens, self.update_norm = new_tokens, update_norm
        self.by_layer = [[self.parameters[names.index(n)] for n in group] for names, group in _layers(session, self.model)]
        ids = {group: [session.model.encode(p.text) for p in members] for group, members in session.groups.items()}
        self.group_batches = {group: _padded(rows, left=False) for group, rows in ids.items() if rows}
        self.single_texts = {group: [_padded([row], left=False) for row in rows] for group, rows in ids.items() if rows}
        prompt_ids = [session.model.encode(prompt) for prompt in prompts]
        self.prompt_batch = _padded(prompt_ids, left=True)
        self.single_prompts = [_padded([row], left=True) for row in prompt_ids]

    def reset(self, session):
        """The session's present weights."""
        own = dict(self.model.named_parameters())
        with torch.no_grad():
            for name, parameter in session.model.parameters.items():
                own[name].copy_(parameter)

    def step(self):
        ids, mask, labels = self.group_batches["forget"]
        loss = self.model(input_ids=ids, attention_mask=mask, labels=labels).loss
        (gradient,) = torch.autograd.grad(loss, [self.embedding])
        with torch.no_grad():
            self.embedding.add_(gradient, alpha=self.update_norm / float(gradient.norm()))

    @torch.no_grad()
    def perplexities(self, *, batched):
        """Per group and per text, token-weighted."""
        groups, texts = {}, {}
        for group, whole in self.group_batches.items():
            total = count = 0.0
            texts[group] = []
            for ids, mask, labels in [whole] if batched else self.single_texts[group]:
                logits = self.model(input_ids=ids, attention_mask=mask).logits[:, :-1]
                losses = functional.cross_entropy(logits.transpose(1, 2), labels[:, 1:], reduction="none")
                sums, counts = losses.sum(dim=1), mask[:, 1:].sum(dim=1)
                texts[group] += (sums / counts).exp().tolist()
                total, count = total + float(sums.sum()), count + float(counts.sum())
            groups[group] = math.exp(total / count)
        return groups, texts

    def continuations(self, *, batched):
        """(new token ids, new text) of each prompt."""
        written = []
        for ids, mask, _ in [self.prompt_batch] if batched else self.single_prompts:
            out = self.model.generate(
                input_ids=ids, attention_mask=mask, max_new_tokens=self.new_tokens, do_sample=False, pad_token_id=0
            )
            written += out[:, ids.shape[1] :].tolist()
        return list(zip(written, self.tokenizer.decode_batch(written), strict=True))

    def norms(self):
        """Gradient norm of each forget text, for every group of parameters."""
        found = []
        for ids, mask, labels in self.single_texts["forget"]:
            self.model.zero_grad(set_to_none=True)
            self.model(input_ids=ids, attention_mask=mask, labels=labels).loss.backward()
            found.append([float(torch.nn.utils.get_total_norm([p.grad for p in group])) for group in self.by_layer])
        self.model.zero_grad(set_to_none=True)
        return found

    def everything(self, *, batched):
        self.step()
        return self.perplexities(batched=batched), self.continuations(batched=batched), self.norms()


def _layers(session, model):
    names = [name for name, _ in model.named_parameters()]
    return [(names, group) for group in session.model.layout.groups.values()]


def _padded(rows, *, left):
    """(ids, mask, labels), each of shape (texts, longest)."""
    longest = max(len(row) for row in rows)

    def filled(value, fill):
        pads = [[fill] * (longest - len(row)) for row in rows]
        return torch.tensor(
            [[*pad, *value(row)] if left else [*value(row), *pad] for row, pad in zip(rows, pads, strict=True)]
        )

    return filled(list, 0), filled(lambda row: [1] * len(row), 0), filled(list, -100)
