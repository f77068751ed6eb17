"""What C is built for: toolchain, emulators, stack analysis.

Lesson 09 teaches it.
Add a target to `toolchain.py`.
"""
