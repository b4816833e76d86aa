"""What a Palinode-Token looks like: schemathesis does not put anything but letters and digits into headers by itself."""

import schemathesis
from hypothesis import strategies as st

schemathesis.openapi.format(
    "palinode-token",
    st.builds(
        "{}~{}~{}~{}".format,
        st.sampled_from(["trip", "hotel", "flight", "car", "other"]),
        st.uuids(),
        st.integers(0, 2**32 - 1),
        st.integers(0, 2**64 - 1),
    ),
)
