"""From a trained recogniser to a folder that somebody else can build.

Lessons 09 and 10 teach it.
A form is a class in `firmware.py`, its templates lie in `forms/`; a kind of model is a `Package`, listed in `package.py`.
"""
