"""Payment providers."""

from causeway_integrations.adapters.payments.rehearsal import TestProvider
from causeway_integrations.adapters.payments.stripe import StripeProvider

__all__ = ["StripeProvider", "TestProvider"]
