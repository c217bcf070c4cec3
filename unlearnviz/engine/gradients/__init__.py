"""Gradients of many texts at once: how hard each pulls at every part of a model, and which pull the same way.

`scan` goes over texts once; `uses` watches where parameters take part; `products` turns that into norms and inner products.
"""
