# SPDX-License-Identifier: Apache-2.0
"""Rerun the experiments of five papers on light expression networks, and set the results beside the published ones."""
