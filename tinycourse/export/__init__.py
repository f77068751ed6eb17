"""From a trained recogniser to a folder that somebody else can build.

Lessons 09 and 10 teach it.
Add a form beside `firmware.py`, its templates in `forms/`.
"""
