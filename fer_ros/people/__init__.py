# SPDX-License-Identifier: Apache-2.0
"""What follows from the faces of a camera over time: smoothed scores, decisions, events, positions."""
