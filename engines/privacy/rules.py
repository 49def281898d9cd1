"""How preferences and PII decide whether an event may be trained on."""


def train_ok(has_pii: bool, user_opt_out: bool | None, tenant_opt_out: bool | None) -> bool:
    """PII always blocks; a user's own preference beats the tenant's; no preference means eligible."""
    if has_pii:
        return False
    if user_opt_out is not None:
        return not user_opt_out
    return not tenant_opt_out
