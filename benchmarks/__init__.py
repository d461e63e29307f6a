# SPDX-License-Identifier: Apache-2.0
"""Measurements side by side; each prints a table for the page in docs/ that shows it."""
