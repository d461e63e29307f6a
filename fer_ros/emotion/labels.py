"""The words for what a face shows, and the order FER2013 numbers them in.

A model's own label order travels inside its file; this order is only what the FER2013 readers and recipes start from.
"""

FER2013 = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""Class 0 to 6 of FER2013 (Goodfellow et al. 2013)."""

KNOWN = (*FER2013, "contempt", "calm")
"""Every label a message may carry (FaceEmotion.msg)."""
