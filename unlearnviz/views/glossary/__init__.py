"""The words of the page, a file for each kind; `unlearnviz.views.terms` is where they are looked up."""
