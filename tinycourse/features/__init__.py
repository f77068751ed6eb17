"""From sound to features: reading, front end, streaming, augmentation.

Lesson 01 teaches it.
Change a setting of `FrontendConfig`; a new kind of feature goes to `frontend.py`.
"""

from tinycourse.features.audio import to_int16
from tinycourse.features.augmentation import AugmentConfig, add_noise, shift, spec_augment
from tinycourse.features.frontend import Frontend, FrontendConfig

__all__ = ["AugmentConfig", "Frontend", "FrontendConfig", "add_noise", "shift", "spec_augment", "to_int16"]
