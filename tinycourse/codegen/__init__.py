"""From a Program to C: kernels, sources, a plan of the memory. Neither torch nor a model is needed.

Lesson 09 teaches it.
Add a kernel to `kernels/`; a test compares it with the interpreter.
"""
