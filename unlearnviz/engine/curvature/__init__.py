"""Curvature of the loss: Hessian and Gauss-Newton products, damped inverses, and what removing a text would do.

`smooth` makes a model differentiable twice; `products` multiplies by its curvature; `spectrum` finds how far that reaches;
`solving` inverts it; `removing` puts them together.
"""
