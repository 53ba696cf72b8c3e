"""What a training begins with where it does not begin from nothing: the weights of a trained model."""

from dataclasses import dataclass

from anclaf.models.network import AffectNetwork


@dataclass(frozen=True)
class Beginning:
    """A trained model whose weights another one begins with. fingerprint: of its spec and weights."""

    network: AffectNetwork
    fingerprint: str

    def into_base(self, network: AffectNetwork) -> None:
        """G, D, C, what finds landmarks and the trust in appearance into a base model's network, and the affect layer,
        if this is a base model too."""
        network.take_parts(self.network)
        network.trust.copy_(self.network.trust)
        self.into_head(network)

    def into_head(self, network: AffectNetwork) -> None:
        """The head alone, into a network with a head of the same kind; nothing into any other."""
        if network.variant.kind == self.network.variant.kind:
            network.head.load_state_dict(self.network.head.state_dict())
