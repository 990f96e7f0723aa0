"""The domain that VRPC integrations are in when nobody says another one."""

from __future__ import annotations

from portal.config import Settings
from portal.models import Account
from vrpc_topics import default_domain


def default(settings: Settings) -> str:
    """Return VRPC_DOMAIN, else the domain that is named after the portal's oldest account."""
    if settings.vrpc_domain:
        return settings.vrpc_domain
    oldest = Account.select(Account.email).order_by(Account.id).limit(1).scalar()
    return default_domain(oldest or "")
