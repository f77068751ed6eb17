"""A recogniser on an endless stream: when it fires, and how often it is wrong.

Lessons 02 and 10 teach it.
Change how scores become decisions in `detector.py`.
"""
