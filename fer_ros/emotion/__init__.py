# SPDX-License-Identifier: Apache-2.0
"""Classification of the emotion that a face shows: crops, model files, and the backends that run them."""
