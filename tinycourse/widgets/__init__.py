"""Widgets over the figures of a lesson, and what speaks with a browser's microphone.

Each lesson has its own file.
Change what a widget shows in `plots/`; here are only the controls.
"""
