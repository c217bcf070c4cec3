"""Curvature products against oracles that share none of their steps: forward over reverse, differences, explicit matrices."""

import math

import pytest
import torch
from torch.func import functional_call, grad, jvp
from torch.nn import functional
from transformers.models.llama.modeling_llama import LlamaRMSNorm

from tests.engine import families, worlds
from unlearnviz.engine.curvature import products
from unlearnviz.engine.curvature.products import GaussNewtonProduct, HessianProduct
from unlearnviz.engine.curvature.vectors import add, copied, inner, norm, scale, zeros_like
from unlearnviz.engine.model import LanguageModel
from unlearnviz.engine.selection import ParameterSelection
from unlearnviz.errors import BadForgetSet, BadModel, BadSelection, BadSetting, NotPossible

TEXTS = [passage.text for passage in worlds.corpus().train[:6]]
SHAPES = [(shape, tied) for shape in ("GPT-2", "Llama", "GPT-NeoX", "OPT") for tied in (True, False)]


@pytest.fixture
def all_in_float64(monkeypatch):
    """What some families compute in float32 whatever the model's kind of number, in float64: softmax and Llama's norm."""
    softmax = functional.softmax

    def as_given(given, dim, dtype=None, **options):
        return softmax(given, dim=dim, dtype=None if given.dtype == torch.float64 else dtype, **options)

    def norm_as_given(self, given):
        return self.weight * given * torch.rsqrt(given.square().mean(-1, keepdim=True) + self.variance_epsilon)

    monkeypatch.setattr(functional, "softmax", as_given)
    monkeypatch.setattr(LlamaRMSNorm, "forward", norm_as_given)


def of_family(shape, *, tied, dtype=torch.float64, attention="eager"):
    module = families.module(shape, tied=tied, vocabulary=worlds.tokenizer().get_vocab_size(), attn_implementation=attention)
    return LanguageModel(module.to(dtype), worlds.tokenizer())


def random_vector(like, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.randn(tensor.shape, generator=generator, dtype=torch.float64).to(tensor.dtype)
        for name, tensor in like.items()
    }


def apart(found, truth):
    """Relative L2 distance."""
    left = copied({name: each.double() for name, each in found.items()})
    truth = {name: each.detach().double() for name, each in truth.items()}
    add(left, truth, -1.0)
    return norm(left) / norm(truth)


def mean_loss(model, texts):
    """Own cross-entropy, one text at a time, from the logits: a function of the parameters."""
    module = model.module.eval()
    rows = [torch.tensor([model.encode(text)]) for text in texts]
    rows = [row for row in rows if row.shape[1] > 1]

    def loss(parameters):
        total, count = 0.0, 0
        for row in rows:
            logits = functional_call(module, parameters, (row,), {"use_cache": False}).logits[0, :-1]
            total = total - logits.log_softmax(-1).gather(1, row[0, 1:, None]).sum()
            count += row.shape[1] - 1
        return total / count

    return loss


def hessian_times(model, texts, vector):
    """Forward over reverse, for a whole tied matrix."""
    loss = mean_loss(model, texts)
    fixed = {name: p.detach() for name, p in model.parameters.items()}
    here = {name: fixed[name] for name in vector}
    return jvp(grad(lambda some: loss({**fixed, **some})), (here,), (vector,))[1]


def slope(model, texts, moved):
    loss = mean_loss(model, texts)
    fixed = {name: p.detach() for name, p in model.parameters.items()}
    return grad(lambda some: loss({**fixed, **some}))({name: fixed[name] + step for name, step in moved.items()})


@pytest.mark.parametrize("shape, tied", SHAPES)
@pytest.mark.parametrize("where", ["all", "embedding"])
def test_the_hessian_product_of_every_family_agrees_with_forward_over_reverse(shape, tied, where, all_in_float64):
    model = of_family(shape, tied=tied)
    product = HessianProduct(model, TEXTS, where)
    vector = random_vector(product.smooth.zeros())
    truth = hessian_times(model, TEXTS, vector)
    assert apart(product.times(vector), truth) < 1e-10
    single = HessianProduct(of_family(shape, tied=tied, dtype=torch.float32), TEXTS, where)
    assert apart(single.times({name: each.float() for name, each in vector.items()}), truth) < 1e-5


@pytest.mark.parametrize("where", ["embedding", "block 1", "norm", "all"])
def test_the_hessian_product_agrees_with_differences_of_gradients(where):
    model = worlds.language_model(dtype=torch.float64)
    product = HessianProduct(model, TEXTS, where)
    vector = random_vector(product.smooth.zeros())
    scale(vector, 1 / norm(vector))
    found = zeros_like(vector)
    step = 0.02  # eight values of the gradient: the error falls with the eighth power of the step
    for far, weight in enumerate((4 / 5, -1 / 5, 4 / 105, -1 / 280), start=1):
        for sign in (1, -1):
            moved = {name: sign * far * step * each for name, each in vector.items()}
            add(found, slope(model, TEXTS, moved), sign * weight / step)
    assert apart(product.times(vector), found) < 1e-9


def test_the_hessian_is_the_explicit_matrix():
    model = worlds.language_model(dtype=torch.float64, blocks=1)
    name = "transformer.ln_f.weight"
    product = HessianProduct(model, TEXTS, name)
    loss = mean_loss(model, TEXTS)
    fixed = {other: p.detach() for other, p in model.parameters.items()}
    matrix = torch.autograd.functional.hessian(lambda entries: loss({**fixed, name: entries}), fixed[name])
    columns = [product.times({name: unit})[name] for unit in torch.eye(len(matrix), dtype=torch.float64)]
    assert float((torch.stack(columns) - matrix).norm() / matrix.norm()) < 1e-10


@pytest.mark.parametrize("kind", [HessianProduct, GaussNewtonProduct])
@pytest.mark.parametrize("where", ["embedding.input", "embedding", "all"])
def test_products_are_linear_and_symmetric(kind, where):
    product = kind(worlds.language_model(dtype=torch.float64), TEXTS, where)
    one, other = (random_vector(product.smooth.zeros(), seed) for seed in (1, 2))
    images = product.times(one), product.times(other)
    assert inner(other, images[0]) == pytest.approx(inner(one, images[1]), rel=1e-10)
    mixed = copied(one)
    add(mixed, other, -2.5)
    expected = dict(images[0])
    add(expected, images[1], -2.5)
    assert apart(product.times(mixed), expected) < 1e-12


@pytest.mark.parametrize("use", ["input", "output"])
def test_one_use_of_a_tied_matrix_is_that_matrix_of_an_untied_model(use):
    tied = worlds.language_model(dtype=torch.float64)
    untied = worlds.language_model(dtype=torch.float64, tied=False)
    with torch.no_grad():
        for name, parameter in tied.parameters.items():
            untied.parameters[name].copy_(parameter)
        untied.module.lm_head.weight.copy_(tied.module.lm_head.weight)
    product = HessianProduct(tied, TEXTS, f"embedding.{use}")
    vector = random_vector(product.smooth.zeros())
    (matrix,) = vector.values()
    name = ParameterSelection.parse(f"embedding.{use}", untied.layout).names[0]
    truth = hessian_times(untied, TEXTS, {name: matrix})[name]
    (found,) = product.times(vector).values()
    assert float((found - truth).norm() / truth.norm()) < 1e-10


@pytest.mark.parametrize("shape, tied", SHAPES)
def test_the_gauss_newton_product_agrees_with_explicit_derivatives(shape, tied, all_in_float64):
    model = of_family(shape, tied=tied)
    name = next(each for each in model.layout.names if model.layout.kinds.get(each) == "norm")
    product = GaussNewtonProduct(model, TEXTS[:3], name)
    here = model.parameters[name].detach().clone()
    fixed = {other: p.detach() for other, p in model.parameters.items()}
    truth, tokens = torch.zeros(len(here), len(here), dtype=torch.float64), 0
    for row in (torch.tensor([model.encode(text)]) for text in TEXTS[:3]):

        def logits(entries, row=row):
            return functional_call(model.module.eval(), {**fixed, name: entries}, (row,)).logits[0, :-1]

        units = torch.eye(len(here), dtype=torch.float64)
        slopes = torch.stack([jvp(logits, (here,), (unit,))[1] for unit in units], -1)  # (predicted, vocabulary, entries)
        chances = logits(here).softmax(-1)
        mean = torch.einsum("tv,tvi->ti", chances, slopes)
        truth += torch.einsum("tv,tvi,tvj->ij", chances, slopes, slopes) - mean.T @ mean  # their covariance, summed
        tokens += len(chances)
    columns = torch.stack([product.times({name: unit})[name] for unit in torch.eye(len(here), dtype=torch.float64)])
    assert float((columns - truth / tokens).norm() / (truth / tokens).norm()) < 1e-10
    assert float(torch.linalg.eigvalsh((columns + columns.T) / 2)[0]) > -1e-8


def test_both_are_the_same_where_logits_are_linear():
    model = worlds.language_model(dtype=torch.float64, tied=False)
    vector = random_vector(HessianProduct(model, TEXTS, "head").smooth.zeros())
    assert (
        apart(GaussNewtonProduct(model, TEXTS, "head").times(vector), HessianProduct(model, TEXTS, "head").times(vector))
        < 1e-12
    )


@pytest.mark.parametrize("kind", [HessianProduct, GaussNewtonProduct])
def test_batches_and_what_is_kept_change_nothing(kind, monkeypatch):
    model = worlds.language_model(dtype=torch.float64)
    whole = kind(model, TEXTS, "all")
    vector = random_vector(whole.smooth.zeros())
    truth = whole.times(vector)
    assert (whole.kept, whole.products, whole.notes) == (1, 1, [])
    monkeypatch.setattr("unlearnviz.engine.model.TOKENS_PER_BATCH", 40)
    for memory, kept in ((products.MEMORY, 6), (0, 0), (whole._memory - whole._room, 3)):
        product = kind(model, TEXTS, "all", memory=memory)
        for _ in range(2):
            assert apart(product.times(vector), truth) < 1e-12
        assert (product.kept == kept) if kept in (0, 6) else (product.kept > 0)
        assert product.kept == len(product._batches) or "recorded anew" in product.notes[0]
        assert apart(product.gradient(), whole.gradient()) < 1e-12


def test_the_bytes_of_a_recorded_batch_are_counted_without_the_weights():
    small, large = (worlds.language_model(blocks=blocks) for blocks in (1, 4))
    sizes = []
    for model in (small, large):
        product = HessianProduct(model, TEXTS, "all")
        product.times(random_vector(product.smooth.zeros()))
        sizes.append(product._per_text)
    assert 2 < sizes[1] / sizes[0] < 4.5
    assert sizes[0] > 4 * 32 * 10  # ten activations of width 32 per token at the least


@pytest.mark.parametrize("shape", ["GPT-2", "Llama", "GPT-NeoX", "OPT"])
def test_a_model_with_fused_attention_works_and_is_left_as_it_was(shape):
    model, eager = (of_family(shape, tied=True, attention=attention) for attention in ("sdpa", "eager"))
    model.module.train()
    before = {name: (p._version, p.requires_grad, p.grad, p.data_ptr()) for name, p in model.parameters.items()}
    product = HessianProduct(model, TEXTS, "all")
    vector = random_vector(product.smooth.zeros())
    assert apart(product.times(vector), HessianProduct(eager, TEXTS, "all").times(vector)) < 1e-12
    assert "eager attention" in product.notes[0]
    assert model.module.config._attn_implementation == "sdpa"
    assert all(part.training for part in model.module.modules())
    assert before == {name: (p._version, p.requires_grad, p.grad, p.data_ptr()) for name, p in model.parameters.items()}
    own = {p.data_ptr() for p in model.parameters.values()}
    assert {p.data_ptr() for p in product.smooth.model.parameters.values()} == own  # no second set of weights


def test_half_precision_is_copied_to_float32_and_said():
    model = worlds.language_model(dtype=torch.bfloat16)
    product = HessianProduct(model, TEXTS, "embedding")
    vector = random_vector(product.smooth.zeros())
    assert "computes in bfloat16; its curvature is taken on a float32 copy" in product.notes[0]
    full = LanguageModel(worlds.copy.deepcopy(model.module).double(), model.tokenizer)
    assert apart(product.times(vector), hessian_times(full, TEXTS, {n: v.double() for n, v in vector.items()})) < 1e-5
    assert {p.dtype for p in model.parameters.values()} == {torch.bfloat16}


def test_large_tied_matrices_are_differentiated_twice_too(monkeypatch):
    model = worlds.language_model(dtype=torch.float64)
    vector = random_vector(HessianProduct(model, TEXTS).smooth.zeros())
    truth = HessianProduct(model, TEXTS).times(vector)
    monkeypatch.setattr("unlearnviz.engine.model.LARGE", 1)  # gradients of the lookup are sparse from here on
    assert apart(HessianProduct(model, TEXTS).times(vector), truth) == 0


def test_the_mode_of_the_thread_does_not_matter():
    model = worlds.language_model()
    vector = random_vector(HessianProduct(model, TEXTS).smooth.zeros())
    truth = HessianProduct(model, TEXTS).times(vector)
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            given = {name: each.clone() for name, each in vector.items()}
            for kind in (HessianProduct, GaussNewtonProduct):
                kind(model, TEXTS).times(given)
            assert apart(HessianProduct(model, TEXTS).times(given), truth) == 0


def test_products_refuse_weights_that_changed_since():
    model = worlds.language_model()
    product = HessianProduct(model, TEXTS)
    vector = product.gradient()
    product.times(vector)
    with torch.no_grad():
        next(iter(model.parameters.values())).mul_(1.1)
    with pytest.raises(NotPossible, match=r"weights changed since .* make the product anew"):
        product.times(vector)
    HessianProduct(model, TEXTS).times(vector)


def test_texts_of_one_token_are_left_out_and_said():
    model = worlds.language_model(dtype=torch.float64)
    one = next(text for text in ("a", "e", ".") if len(model.encode(text)) == 1)
    product = HessianProduct(model, [one, *TEXTS, one])
    assert product.notes == ["Left out of the texts, as nothing is predicted in a single token: 2."]
    vector = random_vector(product.smooth.zeros())
    assert apart(product.times(vector), HessianProduct(model, TEXTS).times(vector)) == 0
    with pytest.raises(BadForgetSet, match=r"None of the texts has two tokens.*take longer texts"):
        HessianProduct(model, [one])
    with pytest.raises(BadForgetSet, match="None of the texts"):
        HessianProduct(model, [])


def test_mistakes_are_said():
    model = worlds.language_model()
    with pytest.raises(BadSelection, match="'nothing' matches none"):
        HessianProduct(model, TEXTS, "nothing")
    with pytest.raises(BadSelection, match=r"holds no parameter.*say for example 'embedding'"):
        HessianProduct(model, TEXTS, ParameterSelection("none", ()))
    product = HessianProduct(model, TEXTS)
    vector = product.gradient()
    name = model.layout.input_embedding
    with pytest.raises(BadSetting, match=f"lacks '{name}', which the selection 'embedding' does hold"):
        product.times({})
    with pytest.raises(BadSetting, match="has 'other', which the selection 'embedding' does not hold"):
        product.times({**vector, "other": vector[name]})
    with pytest.raises(BadSetting, match=r"shape \(3,\) and not \("):
        product.times({name: torch.zeros(3)})
    with pytest.raises(NotPossible, match="vector is not finite"):
        product.times({name: vector[name] * math.nan})


@pytest.mark.parametrize("kind", [HessianProduct, GaussNewtonProduct])
def test_parameters_that_the_loss_does_not_depend_on_are_said(kind):
    model = worlds.language_model()
    model.module.register_parameter("spare", torch.nn.Parameter(torch.ones(3)))
    model = LanguageModel(model.module, model.tokenizer)
    product = kind(model, TEXTS, "spare")
    with pytest.raises(BadSelection, match="does not depend on the selection 'spare'"):
        product.times({"spare": torch.ones(3)})
    with pytest.raises(BadSelection, match="does not depend"):
        product.gradient()
    both = kind(model, TEXTS, "spare, embedding")  # beside others it has the curvature 0
    assert not both.times(
        {"spare": torch.ones(3), model.layout.input_embedding: both.gradient()[model.layout.input_embedding]}
    )["spare"].any()


def test_gradients_that_are_not_finite_are_said():
    model = worlds.language_model()
    with torch.no_grad():
        model.parameters["transformer.ln_f.weight"].fill_(math.inf)
    for kind in (HessianProduct, GaussNewtonProduct):
        product = kind(model, TEXTS)
        with pytest.raises(NotPossible, match="not finite"):
            product.times(product.smooth.zeros())
        with pytest.raises(NotPossible, match="gradient of these texts is not finite"):
            product.gradient()


def test_a_part_without_second_derivative_is_said():
    class Once(torch.autograd.Function):
        @staticmethod
        def forward(ctx, given):
            return given * 2

        @staticmethod
        @torch.autograd.function.once_differentiable
        def backward(ctx, given):
            return given * 2

    class Doubling(torch.nn.Module):
        def forward(self, given):
            return Once.apply(given)

    model = worlds.language_model()
    model.module.transformer.drop = Doubling()
    product = HessianProduct(model, TEXTS)
    with pytest.raises(BadModel, match="has no second derivative"):
        product.times(product.smooth.zeros())


def test_a_product_can_be_stopped_between_batches(monkeypatch):
    monkeypatch.setattr("unlearnviz.engine.model.TOKENS_PER_BATCH", 40)
    product = HessianProduct(worlds.language_model(), TEXTS)
    work = product.multiplying(product.gradient())
    first = next(work)
    assert (first.done, first.total) == (1, len(product._batches))
    work.close()
    assert product.products == 0
