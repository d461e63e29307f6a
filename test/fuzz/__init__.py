# SPDX-License-Identifier: Apache-2.0
"""Mutation tests of everything that reads input of unknown origin; see docs/reports/reliability.md."""
