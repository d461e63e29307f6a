# SPDX-License-Identifier: Apache-2.0
"""Publishers of the results, one module per message type; those for third-party messages are imported when enabled."""
