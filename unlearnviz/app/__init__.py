"""The app: the dashboard as a page of its own, shown by Voila. `unlearnviz app` serves it."""
