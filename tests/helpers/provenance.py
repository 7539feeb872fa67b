"""Where a scaled network comes from, for tests that know that it was scaled."""

from fastscale_lib.architectures import Network, Scaling


def scaling_of(network: Network) -> Scaling:
    """Return the provenance of a scaled network."""
    assert network.scaling is not None
    return network.scaling
