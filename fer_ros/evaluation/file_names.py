# SPDX-License-Identifier: Apache-2.0
"""Names of the files that an evaluation writes into its folder."""

CONFUSION_MATRIX = "confusion_matrix.png"
CONFUSION_COUNTS = "confusion_matrix.csv"
CONFUSION_SHARES = "confusion_matrix_normalized.csv"
RELIABILITY = "reliability.png"
MISTAKES = "mistakes.png"
RIGHT_ANSWERS = "right_answers.png"
ROBUSTNESS = "robustness.png"
ROBUSTNESS_EXAMPLES = "robustness_examples.png"
REPORT = "report.html"
