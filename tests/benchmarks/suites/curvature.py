"""Curvature: Hessian-vector products against one gradient of the same texts, and what an inverse takes, on trained weights."""

import torch

from tests.benchmarks.registry import Row
from tests.benchmarks.timing import milliseconds, ratio, take_turns
from unlearnviz.engine.curvature.products import GaussNewtonProduct, HessianProduct
from unlearnviz.engine.curvature.solving import conjugate_gradients
from unlearnviz.engine.curvature.spectrum import extreme_eigenvalues
from unlearnviz.engine.progress import drain
from unlearnviz.engine.selection import ParameterSelection

TEXTS, DAMPING, TOLERANCE = 60, 0.1, 1e-3
TARGETS = {"embedding": 1.7, "all": 2.3}


def measure(plan):
    session = plan.session()
    model = session.model
    texts = [passage.text for passage in session.corpus.train[:TEXTS]]
    forget = [passage.text for passage in session.forget]
    for where, target in TARGETS.items():
        hessian, fisher = HessianProduct(model, texts, where), GaussNewtonProduct(model, texts, where)
        vector = hessian.smooth.gradient(forget)
        for product in (hessian, fisher):
            product.times(vector)  # records the gradients, once
        seconds = take_turns(
            {
                "gradient": lambda where=where: _gradient(model, texts, where),
                "hessian": lambda hessian=hessian, vector=vector: hessian.times(vector),
                "gauss-newton": lambda fisher=fisher, vector=vector: fisher.times(vector),
                "alone": lambda where=where, vector=vector: HessianProduct(model, texts, where).times(vector),
            },
            plan.times(9),
        )
        base = f"one gradient of the same {len(texts)} texts: {milliseconds(seconds['gradient']):.0f} ms"
        yield Row(
            "curvature",
            f"Hessian-vector product, {where}, of several",
            ratio(seconds, "hessian", "gradient"),
            "x",
            base,
            at_most=target,
        )
        yield Row(
            "curvature", f"Gauss-Newton product, {where}, of several", ratio(seconds, "gauss-newton", "gradient"), "x", base
        )
        yield Row(
            "curvature",
            f"Hessian-vector product, {where}, the first with its recording",
            ratio(seconds, "alone", "gradient"),
            "x",
            base,
        )
        yield from _solved(hessian, fisher, vector, where)


def _solved(hessian, fisher, vector, where):
    spectrum = drain(extreme_eigenvalues(hessian, vector))
    base = f"largest {spectrum.largest:.3g}, margin {spectrum.margin:.1g}"
    yield Row("curvature", f"smallest eigenvalue of the Hessian, {where}", spectrum.smallest, "", base)
    for name, product in (("Hessian", hessian), ("Gauss-Newton", fisher)):
        found = drain(conjugate_gradients(product, vector, damping=DAMPING, tolerance=TOLERANCE))
        yield Row(
            "curvature",
            f"products until conjugate gradients solve to {TOLERANCE:g} at damping {DAMPING:g}, {name}, {where}",
            found.iterations if found.converged else None,
            "",
            found.note,
            at_most=20 if (name, where) == ("Hessian", "embedding") else None,
        )


def _gradient(model, texts, where):
    selection = ParameterSelection.parse(where, model.layout)
    with model.following(selection.names, selection.use) as parameters:
        for indices in model.chunks(range(len(texts)), texts):
            torch.autograd.grad(model.loss(model.batch([texts[k] for k in indices])), list(parameters.values()))
