"""Events from which nothing is learned: where they say so is a pointer, and a role that no other key has."""

from __future__ import annotations

import pytest

from streamer.config.exempt import Privacy, Probes
from streamer.config.load import load_text
from streamer.signals.roles import GOLDEN, OPT_OUT
from tests.config.samples import LEAST


def test_where_events_say_so_is_a_role() -> None:
    config = load_text(LEAST + "privacy: {opt_out: /a}\nprobes: {golden: /b}\n", "x", {})
    assert config.roles() == {OPT_OUT: "/a", GOLDEN: "/b"}
    assert (config.privacy, config.probes) == (Privacy(opt_out="/a"), Probes(golden="/b"))


@pytest.mark.parametrize("model", [Privacy, Probes])
def test_what_is_no_pointer_is_refused(model: type[Privacy | Probes]) -> None:
    with pytest.raises(ValueError, match="Pointer"):
        model.model_validate({next(iter(model.model_fields)): "no"})
