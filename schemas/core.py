"""The compiled core (`native/`, in Rust), or None: where it was not built, or where DRIFTLINE_NATIVE=0 asks for Python.

Everything it does exists in Python as well, with the same results to the last bit; only the speed differs.
"""

from __future__ import annotations

import os
from types import ModuleType

native: ModuleType | None = None
why_not = ""

if os.environ.get("DRIFTLINE_NATIVE") == "0":
    why_not = "DRIFTLINE_NATIVE is 0"
else:
    try:
        import schemas._native as _native

        native = _native
    except ImportError as error:
        why_not = f"it was not built: {error}"
