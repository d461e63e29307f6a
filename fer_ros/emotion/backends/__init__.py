# SPDX-License-Identifier: Apache-2.0
"""Inference backends: one module for each library that runs a network, imported only when it is used."""
