# SPDX-License-Identifier: Apache-2.0
"""Emotion labels.

Each model file has its own labels in its own order; those of FER2013 are the default of data set readers and recipes.
"""

FER2013 = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""Classes 0 to 6 of FER2013 (Goodfellow et al. 2013)."""

KNOWN = (*FER2013, "contempt", "calm")
"""All labels that a model may have, as listed in FaceEmotion.msg."""

EXPRESSIONS = {
    "angry": "frowning",
    "disgust": "nose wrinkled",
    "fear": "eyes widened",
    "happy": "smiling",
    "sad": "mouth corners down",
    "surprise": "mouth open",
    "neutral": "neutral",
    "contempt": "smirking",
    "calm": "relaxed",
}
"""What a face shows that is classified as each label: words for the face and not for a feeling."""

VOCABULARIES = ("emotions", "expressions")
"""What results can be labeled with: the model's own labels, or `EXPRESSIONS`."""
