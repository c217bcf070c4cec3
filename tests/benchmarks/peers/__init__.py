"""What other libraries do with the same model and the same texts: how long they take, what they leave out, how they fail.

One file per library, which is imported only inside the process that measures it. `environment.py` installs them beside `.venv`'s
own packages, `measure.py` makes rows of what came out.
"""
